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

#include "hold.h"
#include "processes.h"
#include "stack.h"
#include "user.h"
#include "wire.h"

/* As execvp, but with the program's own PATH, and without its fallback to a shell for what is no program. */
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
    /* The kernel shall pick a program before this init. /proc is ours only while we can be dumped. */
    prctl(PR_SET_DUMPABLE, 1);
    int adjust = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (adjust < 0) return;
    if (write(adjust, "1000", 4) < 0) { /* where it cannot be said, the kernel decides by size */ }
    close(adjust);
}

struct stdio {
    int in, out, err;
    /* `in` is the terminal that shall control the program. */
    int tty;
};

/* In the child. What kept the program from being executed is written to `report`, as an int. */
static void become(const struct order *order, const struct stdio *io, int report, int to_be_held) __attribute__((noreturn));
static void become(const struct order *order, const struct stdio *io, int report, int to_be_held) {
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
    /* Without as much, as the hard limit is lower, it has what there is. */
    if (!number) limit_stack(0, to_be_held && order->stack ? HELD_STACK_MOST : order->stack);
    if (!number && to_be_held) number = ask_to_be_held();
    if (!number) number = find_and_exec(order->argv, order->envp);
    if (write(report, &number, sizeof number) < 0) _exit(126);
    _exit(127);
}

struct terminal {
    int master, slave;
};

/* -1 with errno when there is none to be had. */
static int open_terminal(struct terminal *terminal) {
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

static void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/* Either a terminal or pipes. -1 with errno when they cannot be had (limits on open files). */
static int open_streams(const struct order *order, struct stdio *theirs, struct streams *ours) {
    if (order->flags & WITH_TTY) {
        struct terminal terminal;
        struct winsize size = {.ws_col = order->cols, .ws_row = order->rows};
        if (open_terminal(&terminal) != 0) return -1;
        ioctl(terminal.master, TIOCSWINSZ, &size);
        *theirs = (struct stdio){terminal.slave, terminal.slave, terminal.slave, 1};
        *ours = (struct streams){.in = terminal.master, .out = terminal.master, .err = -1, .held = terminal.slave, .tty = 1};
        return 0;
    }
    int in[2] = {-1, -1}, out[2], err[2];
    if (order->flags & WITH_STDIN) {
        if (pipe2(in, O_CLOEXEC) != 0) return -1;
    } else if ((in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        return -1;
    }
    if (pipe2(out, O_CLOEXEC) != 0) return -1;
    if (pipe2(err, O_CLOEXEC) != 0) return -1;
    if (in[1] >= 0) set_nonblocking(in[1]);
    set_nonblocking(out[0]);
    set_nonblocking(err[0]);
    *theirs = (struct stdio){in[0], out[1], err[1], 0};
    *ours = (struct streams){.in = in[1], .out = out[0], .err = err[0], .held = -1};
    return 0;
}

static void close_theirs(const struct stdio *theirs) {
    if (theirs->tty) return;
    close(theirs->in);
    close(theirs->out);
    close(theirs->err);
}

pid_t start_program(const struct order *order, struct streams *streams, int *report, int to_be_held) {
    struct stdio theirs;
    int says[2];
    pid_t pid = -1;
    if (open_streams(order, &theirs, streams) == 0 && pipe2(says, O_CLOEXEC) == 0) {
        act_as_init();
        pid = fork();
        if (pid == 0) become(order, &theirs, says[1], to_be_held);
    }
    if (pid < 0) {
        send_failure(IN_START, errno, "no process for it");
        write_output(1);
        _exit(71); /* what was opened until then is not counted */
    }
    close(says[1]);
    close_theirs(&theirs);
    *report = says[0];
    return pid;
}

int executed(int report) {
    int number = 0;
    ssize_t length;
    do length = read(report, &number, sizeof number);
    while (length < 0 && errno == EINTR);
    close(report);
    return length == (ssize_t)sizeof number ? number : 0;
}

void close_streams(struct streams *streams) {
    if (streams->in >= 0 && !streams->tty) close(streams->in);
    if (streams->out >= 0) close(streams->out);
    if (streams->err >= 0) close(streams->err);
    if (streams->held >= 0) close(streams->held);
    streams->in = streams->out = streams->err = streams->held = -1;
}
