#define _GNU_SOURCE
#include "step.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "hold.h"
#include "processes.h"
#include "spent.h"
#include "start.h"
#include "uncounted.h"
#include "usage.h"
#include "user.h"
#include "wire.h"

/*
 * A step's first frames wait this long so that they are sent together, and its output waits this long before it is read. If a program
 * only writes something and ends, every process between init and worker then wakes once instead of three times, and none of
 * them runs at the same time as the program.
 */
enum { GATHER_US = 2000 };
enum { CPU_LOOK_US = 20000, END_OF_FILE = 4 };
/* The longest single wait: poll takes milliseconds as an int, and a wall limit may be larger than that. */
enum { LOOK_MAX_US = 1000000000 };
enum cause { BY_ITSELF, BY_WALL, BY_CPU, BY_OUTPUT, BY_KILL, BY_UNCOUNTED };

static struct {
    pid_t pid; /* 0: no step runs */
    int ended; /* the first process has ended, and with it all others; only output is left */
    int status;
    enum cause cause;
    struct streams streams; /* with the program's end of a terminal: the program may close that and open it again */
    int in_ends;            /* stdin ends after the bytes in `waiting` */
    size_t taken;           /* bytes of stdin that were taken, but not yet reported */
    uint64_t began_us, ended_us, wall_us, cpu_max_us, looked_us, memory, output, output_max, held_before;
    int64_t oom_before;
    struct watch watch;
} step = {.streams = {.in = -1, .out = -1, .err = -1, .program_end = -1}};

static unsigned char waiting[STDIN_AHEAD];
static size_t waiting_from, waiting_to;

int step_runs(void) { return step.pid != 0; }

static void end_all(enum cause cause) {
    if (step.ended || step.cause != BY_ITSELF) return;
    step.cause = cause;
    kill_programs();
}

/* --- stdin --- */

/* One frame for all that was taken meanwhile. One frame for each STDIN frame might find no room, and would have to wait. */
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
    if (step.streams.in >= 0 && !step.streams.tty) close(step.streams.in);
    step.streams.in = -1;
}

static void feed(void) {
    while (step.streams.in >= 0 && waiting_from < waiting_to) {
        ssize_t done = write(step.streams.in, waiting + waiting_from, waiting_to - waiting_from);
        if (done > 0) {
            waiting_from += (size_t)done;
            step.taken += (size_t)done;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            close_stdin(); /* no program reads it any more */
        }
    }
    waiting_from = waiting_to = 0;
    if (step.in_ends && step.streams.in >= 0) {
        unsigned char end = END_OF_FILE;
        if (step.streams.tty && write(step.streams.in, &end, 1) < 0 && errno == EAGAIN) return;
        step.in_ends = 0;
        if (!step.streams.tty) close_stdin();
    }
}

void step_stdin(const unsigned char *data, size_t length) {
    if (!step_runs()) return;
    if (step.streams.in < 0 || step.ended || step.in_ends) {
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
    if (!step_runs() || step.streams.in < 0) return;
    step.in_ends = 1;
    feed();
}

/* --- other frames for a running step --- */

void step_signal(int number) {
    if (step_runs() && !step.ended) kill(-step.pid, number);
}

void step_resize(uint16_t cols, uint16_t rows) {
    struct winsize size = {.ws_col = cols, .ws_row = rows};
    if (step_runs() && step.streams.tty) ioctl(step.streams.out, TIOCSWINSZ, &size);
}

void step_kill(void) {
    if (step_runs()) end_all(BY_KILL);
}

/* --- the beginning --- */

static void close_ours(void) {
    close_stdin();
    close_streams(&step.streams);
}

void begin_step(unsigned char *payload, size_t length) {
    if (step_runs()) broken("EXEC while a step runs");
    struct order order;
    int number = 0, report;
    uint64_t ahead_us = 0;
    read_order(&order, payload, length, 0);
    step.oom_before = oom_kills();
    /* Beside a service, what the service holds does not count for the step. In a run's sandbox nothing is held before. */
    step.held_before = is_apart() ? uncounted_bytes(SERVICE_UNCOUNTED_MAX) : 0;
    begin_spent();
    step.began_us = now_us();
    pid_t pid = order.flags & USE_HELD ? take_held(order.stack, &step.streams, &ahead_us) : 0;
    spent_before(ahead_us);
    if (!pid) {
        drop_held();
        begin_spent();
        pid = start_program(&order, &step.streams, &report, 0);
        step.began_us = now_us();
        number = executed(report);
    }
    if (number) {
        close_ours();
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        act_as_program();
        send_failure(IN_EXEC, number, order.argv[0]);
    } else {
        step.pid = pid;
        step.ended = step.status = step.in_ends = 0;
        step.cause = BY_ITSELF;
        step.looked_us = step.began_us;
        step.wall_us = order.wall_us;
        step.cpu_max_us = order.cpu_max_us;
        step.output_max = order.output_max;
        step.memory = step.output = 0;
        begin_watch(&step.watch, step.began_us);
        send_frame('s', NULL, 0);
    }
    free_order(&order);
}

/* --- its output --- */

static void read_stream(int *from, char type) {
    static unsigned char piece[PIECE];
    ssize_t length = read(*from, piece, sizeof piece);
    if (length < 0 && errno == EINTR) return;
    /* When all processes are gone, an empty stream has no more output, even if it is still open: it may lie in the queue of a socket. */
    if (length < 0 && errno == EAGAIN && !step.ended) return;
    if (length <= 0) { /* EIO: the terminal was hung up because its first process ended */
        if (step.streams.tty) close_stdin();
        close(*from);
        *from = -1;
        return;
    }
    /* One byte more than the limit is sent. So the worker knows that there was more. */
    if (step.output > step.output_max) return;
    uint64_t left = step.output_max - step.output;
    send_frame(type, piece, (uint64_t)length <= left ? (size_t)length : (size_t)left + 1);
    step.output += (uint64_t)length;
    if (step.output > step.output_max) end_all(BY_OUTPUT);
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
            /* What the first process left behind ends with it. This is repeated, since a process may have been forked meanwhile. */
            kill_programs();
            flags = 0;
            continue;
        }
        flags = WNOHANG;
        if (WIFSTOPPED(status)) {
            /* The program has made init its tracer, without being asked. Left alone it would stay stopped for ever. If we let it
             * go on, it might stop again and again, and keep us from checking its limits. */
            kill(pid, SIGKILL);
            continue;
        }
        add_spent(cpu_us_of(&usage));
        uint64_t memory = (uint64_t)usage.ru_maxrss * 1024;
        if (memory > step.memory) step.memory = memory;
        if (pid == step.pid) {
            step.status = status;
            step.ended = 1;
            step.ended_us = now_us(); /* the time that the worker needs to read the rest does not count for the program */
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
    at = put64(at, spent_us(0));
    at = put64(at, step.memory);
    at = put32(at, (uint32_t)(oom < 0 || step.oom_before < 0 ? -1 : oom - step.oom_before));
    send_frame('x', payload, (size_t)(at - payload));
    step.pid = 0;
    act_as_program();
}

/* Between steps there is no program except the held one. */
static void reap_between(void) {
    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
        held_may_have_ended(pid);
}

void step_tick(int reaping) {
    if (!step_runs()) {
        if (reaping) reap_between();
        return;
    }
    if (reaping) reap();
    uint64_t now = now_us();
    if (!step.ended && now - step.began_us >= step.wall_us) end_all(BY_WALL);
    if (!step.ended && step.cpu_max_us && now - step.looked_us >= CPU_LOOK_US) {
        step.looked_us = now;
        if (spent_us(1) >= step.cpu_max_us) end_all(BY_CPU);
    }
    if (!step.ended && step.cause == BY_ITSELF && holds_too_much(&step.watch, now, step.held_before + RUN_UNCOUNTED_MAX))
        end_all(BY_UNCOUNTED);
    while (step.ended && step.streams.out >= 0 && room_for_output()) read_stream(&step.streams.out, 'o');
    while (step.ended && step.streams.err >= 0 && room_for_output()) read_stream(&step.streams.err, 'e');
    if (room_for_output()) say_taken();
    if (step.ended && step.streams.out < 0 && step.streams.err < 0) {
        close_ours();
        say_taken();
        send_exit();
    }
}

int step_gathers_ms(void) {
    if (!step_runs() || step.ended || step.streams.tty) return 0;
    uint64_t spent = now_us() - step.began_us;
    return spent < GATHER_US ? (int)((GATHER_US - spent + 999) / 1000) : 0;
}

int step_poll(struct pollfd *fds, int *timeout, int gather) {
    int count = 0;
    *timeout = -1;
    if (!step_runs()) return 0;
    int room = room_for_output();
    /*
     * A program's first output is read when the program has ended, or when `gather` is over. So init does not wake up for each write.
     * This is not done for stderr, since what lies in two pipes has no order any more. Programs seldom write to stderr, so it is read at
     * once, and what lies in stdout is read before it.
     */
    int listens = room && !gather;
    short out = step.streams.tty && step.streams.in >= 0 && (waiting_from < waiting_to || step.in_ends) ? POLLOUT : 0;
    if (step.streams.out >= 0 && (listens || out))
        fds[count++] = (struct pollfd){.fd = step.streams.out, .events = (short)(out | (listens ? POLLIN : 0))};
    if (step.streams.err >= 0 && room) fds[count++] = (struct pollfd){.fd = step.streams.err, .events = POLLIN};
    /* stdin is watched only if there is something to write. That the other end is closed is seen then, by EPIPE. */
    if (!step.streams.tty && step.streams.in >= 0 && waiting_from < waiting_to)
        fds[count++] = (struct pollfd){.fd = step.streams.in, .events = POLLOUT};
    if (!step.ended && step.cause == BY_ITSELF) {
        uint64_t now = now_us(), spent = now - step.began_us;
        uint64_t left = spent < step.wall_us ? step.wall_us - spent : 0;
        uint64_t until_look = now < step.watch.next_us ? step.watch.next_us - now : 0;
        if (until_look < left) left = until_look;
        if (step.cpu_max_us && left > CPU_LOOK_US) left = CPU_LOOK_US;
        if (left > LOOK_MAX_US) left = LOOK_MAX_US;
        *timeout = (int)((left + 999) / 1000);
    }
    if (gather && (*timeout < 0 || *timeout > gather)) *timeout = gather;
    return count;
}

void step_ready(const struct pollfd *fds, int count) {
    int listened = 0;
    for (int i = 0; i < count; i++) {
        if (fds[i].fd == step.streams.out) listened = 1;
        if (!fds[i].revents) continue;
        if (fds[i].fd == step.streams.in && (!step.streams.tty || fds[i].revents & ~POLLIN)) feed();
        if (!room_for_output()) continue;
        if (fds[i].fd == step.streams.out && fds[i].revents & ~POLLOUT) read_stream(&step.streams.out, 'o');
        else if (fds[i].fd == step.streams.err) {
            if (!listened && step.streams.out >= 0) read_stream(&step.streams.out, 'o');
            if (room_for_output()) read_stream(&step.streams.err, 'e');
        }
    }
}
