#define _GNU_SOURCE
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "processes.h"
#include "user.h"

/* As execvp, but with the program's own PATH, and without its fallback to a shell for what is no program. */
static int find_and_exec(char **argv, char **envp) {
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
    /* The kernel shall pick a program before this init. /proc is ours only while we can be dumped. */
    prctl(PR_SET_DUMPABLE, 1);
    int adjust = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (adjust < 0) return;
    if (write(adjust, "1000", 4) < 0) { /* where it cannot be said, the kernel decides by size */ }
    close(adjust);
}

void become(char **argv, char **envp, const struct stdio *io, int report) {
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
    if (!number) number = find_and_exec(argv, envp);
    if (write(report, &number, sizeof number) < 0) _exit(126);
    _exit(127);
}

int open_terminal(struct terminal *terminal) {
    int unlock = 0, number;
    char name[32];
    terminal->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (terminal->master < 0) return -1;
    if (ioctl(terminal->master, TIOCSPTLCK, &unlock) == 0 && ioctl(terminal->master, TIOCGPTN, &number) == 0) {
        snprintf(name, sizeof name, "/dev/pts/%d", number);
        terminal->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (terminal->slave >= 0) return 0;
    }
    number = errno;
    close(terminal->master);
    errno = number;
    return -1;
}
