#define _GNU_SOURCE
#include "step.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec.h"
#include "processes.h"
#include "usage.h"
#include "user.h"
#include "wire.h"

/*
 * So long a step's first frames wait for one another, as far as they are short: a program that only speaks and ends costs
 * every process between init and worker one turn in place of three, and none of them runs beside it.
 */
enum { GATHER_US = 2000 };
enum { WITH_TTY = 1, WITH_STDIN = 2, WITH_OURS = 4, EXEC_FIXED = 32, CPU_LOOK_US = 20000, END_OF_FILE = 4 };
/* The longest wait at once: poll counts in int milliseconds, which a wall limit may exceed. */
enum { LOOK_MOST_US = 1000000000 };
enum cause { BY_ITSELF, BY_WALL, BY_CPU, BY_OUTPUT, BY_KILL };

static struct {
    pid_t pid; /* 0: no step runs */
    int ended; /* its first process has, and with it all others; only output is left */
    int status;
    enum cause cause;
    int tty;
    int in, out, err; /* ours; -1: closed. A terminal is both `in` and `out`. */
    int in_ends;      /* after what waits in `waiting` */
    int held;         /* the program's end of its terminal: it may let go of it, and open it again */
    size_t taken;     /* of stdin, and not yet said */
    uint64_t began_us, ended_us, wall_us, cpu_most_us, cpu_us, looked_us, memory, output, output_most;
    int64_t oom_before;
} step = {.in = -1, .out = -1, .err = -1, .held = -1};

static unsigned char waiting[STDIN_AHEAD];
static size_t waiting_from, waiting_to;

int step_runs(void) { return step.pid != 0; }

static void end_all(enum cause cause) {
    if (step.ended || step.cause != BY_ITSELF) return;
    step.cause = cause;
    kill_programs();
}

/* --- stdin --- */

/* In one frame for all that was taken meanwhile: as many as there were STDIN frames might find no room, and wait. */
static void say_taken(void) {
    unsigned char payload[4];
    if (step.taken == 0) return;
    put32(payload, (uint32_t)step.taken);
    send_frame('t', payload, 4);
    step.taken = 0;
}

static void close_stdin(void) {
    step.taken += waiting_to - waiting_from;
    waiting_from = waiting_to = 0;
    if (step.in >= 0 && !step.tty) close(step.in);
    step.in = -1;
}

static void feed(void) {
    while (step.in >= 0 && waiting_from < waiting_to) {
        ssize_t done = write(step.in, waiting + waiting_from, waiting_to - waiting_from);
        if (done > 0) {
            waiting_from += (size_t)done;
            step.taken += (size_t)done;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            close_stdin(); /* nobody reads it any more */
        }
    }
    waiting_from = waiting_to = 0;
    if (step.in_ends && step.in >= 0) {
        unsigned char end = END_OF_FILE;
        if (step.tty && write(step.in, &end, 1) < 0 && errno == EAGAIN) return;
        step.in_ends = 0;
        if (!step.tty) close_stdin();
    }
}

void step_stdin(const unsigned char *data, size_t length) {
    if (!step_runs()) return;
    if (step.in < 0 || step.ended || step.in_ends) {
        step.taken += length;
        return;
    }
    if (sizeof waiting - waiting_to < length) {
        memmove(waiting, waiting + waiting_from, waiting_to - waiting_from);
        waiting_to -= waiting_from;
        waiting_from = 0;
        if (sizeof waiting - waiting_to < length) broken("more STDIN than was TAKEN");
    }
    memcpy(waiting + waiting_to, data, length);
    waiting_to += length;
    feed();
}

void step_stdin_end(void) {
    if (!step_runs() || step.in < 0) return;
    step.in_ends = 1;
    feed();
}

/* --- the rest of what a running step is told --- */

void step_signal(int number) {
    if (step_runs() && !step.ended) kill(-step.pid, number);
}

void step_resize(uint16_t cols, uint16_t rows) {
    struct winsize size = {.ws_col = cols, .ws_row = rows};
    if (step_runs() && step.tty) ioctl(step.out, TIOCSWINSZ, &size);
}

void step_kill(void) {
    if (step_runs()) end_all(BY_KILL);
}

/* --- the beginning --- */

/* `count` strings, each ended by a NUL, as a list; NULL when there are not so many. */
static char **strings(char **at, char *end, uint32_t count) {
    char **list = calloc((size_t)count + 1, sizeof *list);
    if (!list) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        char *nul = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
        if (!nul) {
            free(list);
            return NULL;
        }
        list[i] = *at;
        *at = nul + 1;
    }
    return list;
}

/* The length of a variable's name, '=' included; without one the whole is compared. */
static size_t name_length(const char *variable) {
    const char *equals = strchr(variable, '=');
    return equals ? (size_t)(equals - variable) + 1 : strlen(variable) + 1;
}

/* The given variables, and those of our own environment that are not among them. NULL without memory. */
static char **with_ours(char **given, uint32_t count) {
    size_t ours = 0;
    while (environ[ours]) ours++;
    char **list = calloc(count + ours + 1, sizeof *list);
    if (!list) return NULL;
    memcpy(list, given, count * sizeof *list);
    size_t to = count;
    for (char **one = environ; *one; one++) {
        size_t length = name_length(*one);
        uint32_t at = 0;
        while (at < count && strncmp(given[at], *one, length)) at++;
        if (at == count) list[to++] = *one;
    }
    return list;
}

static void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

struct ends {
    struct stdio theirs;
    int in, out, err, held;
};

/* Either a terminal or pipes. -1 with errno when they cannot be had (limits on open files). */
static int open_ends(struct ends *ends, uint32_t flags, uint16_t cols, uint16_t rows) {
    *ends = (struct ends){{-1, -1, -1, 0}, -1, -1, -1, -1};
    if (flags & WITH_TTY) {
        struct terminal terminal;
        struct winsize size = {.ws_col = cols, .ws_row = rows};
        if (open_terminal(&terminal) != 0) return -1;
        ioctl(terminal.master, TIOCSWINSZ, &size);
        ends->theirs = (struct stdio){terminal.slave, terminal.slave, terminal.slave, 1};
        ends->in = ends->out = terminal.master;
        ends->held = terminal.slave;
        return 0;
    }
    int in[2] = {-1, -1}, out[2], err[2];
    if (flags & WITH_STDIN) {
        if (pipe2(in, O_CLOEXEC) != 0) return -1;
    } else if ((in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0) {
        return -1;
    }
    if (pipe2(out, O_CLOEXEC) != 0) return -1;
    if (pipe2(err, O_CLOEXEC) != 0) return -1;
    if (in[1] >= 0) set_nonblocking(in[1]);
    set_nonblocking(out[0]);
    set_nonblocking(err[0]);
    ends->theirs = (struct stdio){in[0], out[1], err[1], 0};
    ends->in = in[1];
    ends->out = out[0];
    ends->err = err[0];
    return 0;
}

static void close_theirs(const struct stdio *theirs) {
    if (theirs->tty) return;
    close(theirs->in);
    close(theirs->out);
    close(theirs->err);
}

static void close_ours(void) {
    close_stdin();
    if (step.out >= 0) close(step.out);
    if (step.err >= 0) close(step.err);
    if (step.held >= 0) close(step.held);
    step.out = step.err = step.held = -1;
}

/* What kept the child from executing the program; 0: it has. */
static int executed(int report) {
    int number = 0;
    ssize_t length;
    do length = read(report, &number, sizeof number);
    while (length < 0 && errno == EINTR);
    close(report);
    return length == (ssize_t)sizeof number ? number : 0;
}

void begin_step(unsigned char *payload, size_t length) {
    if (step_runs()) broken("EXEC while a step runs");
    if (length < EXEC_FIXED) broken("EXEC is too short");
    uint32_t flags = get32(payload);
    uint32_t argc = get32(payload + 24), envc = get32(payload + 28);
    char *at = (char *)payload + EXEC_FIXED, *end = (char *)payload + length;
    if (argc == 0 || argc > length || envc > length) broken("EXEC has no program, or says more strings than it has");
    char **argv = strings(&at, end, argc), **envp = strings(&at, end, envc);
    if (!argv || !envp || at != end) broken("EXEC says other strings than it has");
    if (flags & WITH_OURS) {
        char **given = envp;
        envp = with_ours(given, envc);
        free(given);
        if (!envp) broken("no memory for the environment");
    }

    struct ends ends;
    int report[2];
    pid_t pid = -1;
    int64_t oom_before = oom_kills();
    if (open_ends(&ends, flags, get16(payload + 20), get16(payload + 22)) == 0 && pipe2(report, O_CLOEXEC) == 0) {
        act_as_init();
        pid = fork();
        if (pid == 0) become(argv, envp, &ends.theirs, report[1]);
    }
    if (pid < 0) {
        send_failure(IN_START, errno, "no process for it");
        write_output(1);
        _exit(71); /* what was opened until then is not counted: nothing can be run here any more */
    }
    close(report[1]);
    close_theirs(&ends.theirs);
    step.began_us = step.looked_us = now_us();
    step.in = ends.in;
    step.out = ends.out;
    step.err = ends.err;
    step.held = ends.held;
    step.tty = ends.theirs.tty;
    int number = executed(report[0]);
    if (number) {
        close_ours();
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        act_as_program();
        send_failure(IN_EXEC, number, argv[0]);
    } else {
        step.pid = pid;
        step.ended = step.status = step.in_ends = 0;
        step.cause = BY_ITSELF;
        step.wall_us = (uint64_t)get32(payload + 4) * 1000;
        step.cpu_most_us = (uint64_t)get32(payload + 8) * 1000;
        step.output_most = get64(payload + 12);
        step.cpu_us = step.memory = step.output = 0;
        step.oom_before = oom_before;
        send_frame('s', NULL, 0);
    }
    free(argv);
    free(envp);
}

/* --- its output --- */

static void read_stream(int *from, char type) {
    static unsigned char piece[PIECE];
    ssize_t length = read(*from, piece, sizeof piece);
    if (length < 0 && errno == EINTR) return;
    /* With all processes gone what is there is all: a stream may still be open on its way through a socket. */
    if (length < 0 && errno == EAGAIN && !step.ended) return;
    if (length <= 0) { /* EIO: the terminal was hung up, as its first process ended */
        if (step.tty) close_stdin();
        close(*from);
        *from = -1;
        return;
    }
    /* One byte more than the limit tells the worker that there was more. */
    if (step.output > step.output_most) return;
    uint64_t left = step.output_most - step.output;
    send_frame(type, piece, (uint64_t)length <= left ? (size_t)length : (size_t)left + 1);
    step.output += (uint64_t)length;
    if (step.output > step.output_most) end_all(BY_OUTPUT);
}

/* --- its end --- */

static void reap(void) {
    int status;
    struct rusage usage;
    for (int flags = WNOHANG;;) {
        pid_t pid = wait4(-1, &status, flags, &usage);
        if (pid < 0 && errno == EINTR) continue;
        if (pid == 0 && !step.ended) return;
        if (pid < 0) return end_orphans();
        if (pid == 0) {
            /* What the first process left behind ends with it; again each time, for what was being forked meanwhile. */
            kill_programs();
            flags = 0;
            continue;
        }
        flags = WNOHANG;
        step.cpu_us += cpu_us_of(&usage);
        uint64_t memory = (uint64_t)usage.ru_maxrss * 1024;
        if (memory > step.memory) step.memory = memory;
        if (pid == step.pid) {
            step.status = status;
            step.ended = 1;
            step.ended_us = now_us(); /* what the worker takes to read the rest is not the program's */
        }
    }
}

static void send_exit(void) {
    unsigned char payload[37], *at = payload;
    int64_t oom = oom_kills();
    *at++ = (unsigned char)step.cause;
    at = put32(at, (uint32_t)(WIFEXITED(step.status) ? WEXITSTATUS(step.status) : -1));
    at = put32(at, (uint32_t)(WIFSIGNALED(step.status) ? WTERMSIG(step.status) : 0));
    at = put64(at, step.ended_us - step.began_us);
    at = put64(at, step.cpu_us);
    at = put64(at, step.memory);
    at = put32(at, (uint32_t)(oom < 0 || step.oom_before < 0 ? -1 : oom - step.oom_before));
    send_frame('x', payload, (size_t)(at - payload));
    step.pid = 0;
    act_as_program();
}

void step_tick(int reaping) {
    if (!step_runs()) {
        if (reaping) while (waitpid(-1, NULL, WNOHANG) > 0) {}
        return;
    }
    if (reaping) reap();
    uint64_t now = now_us();
    if (!step.ended && now - step.began_us >= step.wall_us) end_all(BY_WALL);
    if (!step.ended && step.cpu_most_us && now - step.looked_us >= CPU_LOOK_US) {
        step.looked_us = now;
        if (step.cpu_us + live_cpu_us() >= step.cpu_most_us) end_all(BY_CPU);
    }
    while (step.ended && step.out >= 0 && room_for_output()) read_stream(&step.out, 'o');
    while (step.ended && step.err >= 0 && room_for_output()) read_stream(&step.err, 'e');
    if (room_for_output()) say_taken();
    if (step.ended && step.out < 0 && step.err < 0) {
        close_ours();
        say_taken();
        send_exit();
    }
}

int step_poll(struct pollfd *fds, int *timeout) {
    int count = 0;
    *timeout = -1;
    if (!step_runs()) return 0;
    int room = room_for_output();
    short out = step.tty && step.in >= 0 && (waiting_from < waiting_to || step.in_ends) ? POLLOUT : 0;
    if (step.out >= 0 && (room || out))
        fds[count++] = (struct pollfd){.fd = step.out, .events = (short)(out | (room ? POLLIN : 0))};
    if (step.err >= 0 && room) fds[count++] = (struct pollfd){.fd = step.err, .events = POLLIN};
    /* Without anything to write its other end's closing is of no interest: EPIPE tells. */
    if (!step.tty && step.in >= 0 && waiting_from < waiting_to)
        fds[count++] = (struct pollfd){.fd = step.in, .events = POLLOUT};
    if (!step.ended && step.cause == BY_ITSELF) {
        uint64_t spent = now_us() - step.began_us;
        uint64_t left = spent < step.wall_us ? step.wall_us - spent : 0;
        if (step.cpu_most_us && left > CPU_LOOK_US) left = CPU_LOOK_US;
        if (left > LOOK_MOST_US) left = LOOK_MOST_US;
        *timeout = (int)((left + 999) / 1000);
    }
    return count;
}

int step_gathers_ms(void) {
    if (!step_runs() || step.ended || step.tty) return 0;
    uint64_t spent = now_us() - step.began_us;
    return spent < GATHER_US ? (int)((GATHER_US - spent + 999) / 1000) : 0;
}

void step_ready(const struct pollfd *fds, int count) {
    for (int i = 0; i < count; i++) {
        if (!fds[i].revents) continue;
        if (fds[i].fd == step.in && (!step.tty || fds[i].revents & ~POLLIN)) feed();
        if (!room_for_output()) continue;
        if (fds[i].fd == step.out && fds[i].revents & ~POLLOUT) read_stream(&step.out, 'o');
        else if (fds[i].fd == step.err) read_stream(&step.err, 'e');
    }
}
