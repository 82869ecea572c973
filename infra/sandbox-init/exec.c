#define _GNU_SOURCE
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "processes.h"
#include "stack.h"
#include "trace.h"
#include "user.h"

/* Like execvp, but it uses the program's own PATH, and it does not start a shell for a file that is not a program. */
int find_and_exec(char **argv, char **envp) {
    if (strchr(argv[0], '/')) {
        execve(argv[0], argv, envp);
        return errno;
    }
    const char *path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (char **one = envp; *one; one++)
        if (!strncmp(*one, "PATH=", 5)) path = *one + 5;
    int number = ENOENT;
    while (*argv[0]) {
        const char *end = strchrnul(path, ':');
        char full[PATH_MAX];
        int length = snprintf(full, sizeof full, "%.*s/%s", (int)(end - path), path, argv[0]);
        if (end > path && length < (int)sizeof full) {
            execve(full, argv, envp);
            if (errno == EACCES) number = EACCES;
            else if (errno != ENOENT && errno != ENOTDIR) return errno;
        }
        if (!*end) break;
        path = end + 1;
    }
    return number;
}

static void prefer_for_oom(void) {
    /* When memory runs out, the kernel should kill a program before this init. We can write to our /proc only while we can be dumped. */
    prctl(PR_SET_DUMPABLE, 1);
    int adjust = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (adjust < 0) return;
    if (write(adjust, "1000", 4) < 0) { /* where it cannot be set, the kernel decides by size */ }
    close(adjust);
}

void become_program(const struct order *order, const struct program_streams *io, int report, int traced) {
    setsid();
    if (io->tty) ioctl(io->in, TIOCSCTTY, 0);
    int number = become_program_user();
    if (!number && (dup2(io->in, 0) < 0 || dup2(io->out, 1) < 0 || dup2(io->err, 2) < 0)) number = errno;
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    begin_program();
    prefer_for_oom();
    /* If the hard limit is lower than that, the program gets the hard limit. */
    if (!number) limit_stack(0, traced && order->stack ? TRACED_STACK_MAX : order->stack);
    if (!number && traced) number = ask_to_be_traced();
    if (!number) number = find_and_exec(order->argv, order->envp);
    if (write(report, &number, sizeof number) < 0) _exit(126);
    _exit(127);
}
