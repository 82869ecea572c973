#define _GNU_SOURCE
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct terminal {
    int master, slave;
};

/* Opens a terminal. -1 with errno when there is none. */
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

int open_streams(const struct order *order, struct program_streams *theirs, struct streams *ours) {
    if (order->flags & WITH_TTY) {
        struct terminal terminal;
        struct winsize size = {.ws_col = order->cols, .ws_row = order->rows};
        if (open_terminal(&terminal) != 0) return -1;
        ioctl(terminal.master, TIOCSWINSZ, &size);
        *theirs = (struct program_streams){terminal.slave, terminal.slave, terminal.slave, 1};
        *ours = (struct streams){.in = terminal.master, .out = terminal.master, .err = -1, .program_end = terminal.slave, .tty = 1};
        return 0;
    }
    int in[2] = {-1, -1}, out[2], err[2];
    if (order->flags & WITH_STDIN) {
        if (pipe2(in, O_CLOEXEC) != 0) return -1;
    } else if ((in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        return -1;
    }
    if (pipe2(out, O_CLOEXEC) != 0) return -1;
    /* The order of what is written to one pipe is exact. That of two pipes is only as exact as we are quick. */
    if (order->flags & ONE_PIPE) {
        err[0] = -1;
        err[1] = out[1];
    } else {
        if (pipe2(err, O_CLOEXEC) != 0) return -1;
        set_nonblocking(err[0]);
    }
    if (in[1] >= 0) set_nonblocking(in[1]);
    set_nonblocking(out[0]);
    *theirs = (struct program_streams){in[0], out[1], err[1], 0};
    *ours = (struct streams){.in = in[1], .out = out[0], .err = err[0], .program_end = -1};
    return 0;
}

void close_program_streams(const struct program_streams *theirs) {
    if (theirs->tty) return;
    close(theirs->in);
    close(theirs->out);
    if (theirs->err != theirs->out) close(theirs->err);
}

void close_streams(struct streams *streams) {
    if (streams->in >= 0 && !streams->tty) close(streams->in);
    if (streams->out >= 0) close(streams->out);
    if (streams->err >= 0) close(streams->err);
    if (streams->program_end >= 0) close(streams->program_end);
    streams->in = streams->out = streams->err = streams->program_end = -1;
}
