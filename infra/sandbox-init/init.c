/* PID 1 of a sandbox, or a process beside a service. README.md says what it does. This file is about how it waits. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "disk.h"
#include "files.h"
#include "forget.h"
#include "hold.h"
#include "owner.h"
#include "processes.h"
#include "service.h"
#include "step.h"
#include "tree.h"
#include "user.h"
#include "wire.h"

static unsigned char *in;
static size_t in_size, in_from, in_to;

static size_t longest(char type) { return type == 'E' || type == 'H' ? EXEC_MAX : FRAME_MAX; }

static void need(size_t length, size_t least) {
    if (length < least) broken("a frame is too short");
}

/*
 * The rest of the payload as a string. There is always one more byte behind the payload for the NUL; its old value is put back afterwards.
 */
static char *text(unsigned char *payload, size_t from, size_t length) {
    if (memchr(payload + from, 0, length - from)) broken("a path holds a NUL");
    payload[length] = 0;
    return (char *)payload + from;
}

/* The second of two strings that each end with a NUL. */
static char *second(unsigned char *payload, size_t length) {
    unsigned char *end = memchr(payload, 0, length);
    if (!end || memchr(end + 1, 0, length - (size_t)(end + 1 - payload)) != payload + length - 1)
        broken("two strings are not two strings");
    return (char *)end + 1;
}

static void handle(char type, unsigned char *payload, size_t length) {
    unsigned char behind = payload[length];
    int between = strchr("WFDMYNTHLGU", type) != NULL;
    if (between && step_runs()) broken("a frame that belongs between steps came while one runs");
    if (type != 'D' && file_left() > 0) broken("a FILE is not complete");
    switch (type) {
    case 'W':
        need(length, 1);
        enter_workdir(text(payload, 0, length));
        break;
    case 'F':
        need(length, 13);
        begin_file(get32(payload), get64(payload + 4), text(payload, 12, length));
        break;
    case 'D':
        file_data(payload, length);
        break;
    case 'M':
        need(length, 5);
        keep_folder(get32(payload), text(payload, 4, length));
        break;
    case 'Y':
        make_symlink((char *)payload, second(payload, length));
        break;
    case 'N':
        make_hard_link((char *)payload, second(payload, length));
        break;
    case 'T':
        need(length, 9);
        set_time(get64(payload), text(payload, 8, length));
        break;
    case 'E':
        begin_step(payload, length);
        break;
    case 'H':
        hold_program(payload, length);
        break;
    case 'I':
        step_stdin(payload, length);
        break;
    case 'Z':
        step_stdin_end();
        break;
    case 'S':
        need(length, 1);
        if (payload[0] >= 1 && payload[0] <= 64) step_signal(payload[0]);
        break;
    case 'R':
        need(length, 4);
        step_resize(get16(payload), get16(payload + 2));
        break;
    case 'K':
        step_kill();
        break;
    case 'L':
        need(length, 4);
        list_files(get32(payload));
        break;
    case 'G':
        need(length, 1);
        send_content(text(payload, 0, length));
        break;
    case 'U':
        need(length, 1);
        remove_file(text(payload, 0, length));
        break;
    default:
        broken("a frame of an unknown type");
    }
    payload[length] = behind;
}

static void handle_frames(void) {
    while (in_to - in_from >= HEADER) {
        char type = (char)in[in_from];
        size_t length = get32(in + in_from + 1);
        if (length > longest(type)) broken("a frame is too long");
        if (in_to - in_from - HEADER < length) return;
        unsigned char *payload = in + in_from + HEADER;
        in_from += HEADER + length;
        handle(type, payload, length);
    }
}

/* Room for the current frame, and for the byte that `text` may set behind it. */
static void make_room(void) {
    if (in_from > 0) {
        memmove(in, in + in_from, in_to - in_from);
        in_to -= in_from;
        in_from = 0;
    }
    size_t wanted = HEADER + FRAME_MAX;
    if (in_to >= HEADER) {
        size_t length = get32(in + 1);
        if (length <= longest((char)in[0]) && HEADER + length > wanted) wanted = HEADER + length;
    }
    if (in_size >= wanted + 1) return;
    in = realloc(in, wanted + 1);
    if (!in) _exit(71);
    in_size = wanted + 1;
}

static void leave(void) __attribute__((noreturn));
static void leave(void) {
    end_programs();
    _exit(0);
}

static void read_worker(void) {
    make_room();
    ssize_t length = read(0, in + in_to, in_size - 1 - in_to);
    if (length > 0) {
        in_to += (size_t)length;
        handle_frames();
    } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        leave(); /* the worker is gone */
    }
}

/*
 * The signals that init reads from a descriptor. PID 1 gets no others. Beside a service, those that ask init to end are read too; the rest
 * waits.
 */
static int open_signals(void) {
    sigset_t told, blocked;
    sigemptyset(&told);
    sigaddset(&told, SIGCHLD);
    blocked = told;
    if (is_apart()) {
        sigfillset(&blocked);
        for (const int *one = (const int[]){SIGHUP, SIGINT, SIGQUIT, SIGTERM, 0}; *one; one++) sigaddset(&told, *one);
    }
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    return signalfd(-1, &told, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whether a child has ended. */
static int read_signals(int from) {
    struct signalfd_siginfo info;
    int child = 0;
    while (read(from, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD) leave();
        child = 1;
    }
    return child;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "forget")) return forget(argv[2]);
    if (argc > 2 && !strcmp(argv[1], "service")) return serve(argv + 2);
    if (argc == 2 && !strcmp(argv[1], "disk")) return measure_disks();
    int beside = argc > 1 && !strcmp(argv[1], "exec");
    const char *owner = argc > 2 + beside && !strcmp(argv[1 + beside], "files") ? argv[2 + beside] : NULL;
    /* PID 1 ends steps by kill(-1). Outside of a container of its own that would kill every process. */
    if (beside == (getpid() == 1)) return 64;
    prctl(PR_SET_DUMPABLE, 0);
    if (beside) be_apart();
    if (owner) own_files(owner);
    else if (argc > 1 + beside) set_program_user(argv[1 + beside]);
    umask(022);
    for (int fd = 0; fd < 3; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
    /*
     * Programs must not get descriptors that the runtime forgot to close (CVE-2024-21626). On a kernel too old for this call they stay
     * open.
     */
#ifdef SYS_close_range
    syscall(SYS_close_range, 3, ~0U, 0);
#endif
    fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK);
    /* If the runtime ignored a signal, programs would inherit that. */
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    int ended = open_signals();
    if (ended < 0) return 71;

    cgroup_cpu_us(); /* opens its file now, while nobody waits for init */
    unsigned char version = VERSION;
    send_frame('r', &version, 1);
    for (;;) {
        int gather = step_gathers_ms();
        int keeps = gather && output_waits() < PIECE;
        if (!keeps) write_output(0);
        struct pollfd fds[6];
        int timeout;
        int count = step_poll(fds + 3, &timeout, gather);
        fds[0] = (struct pollfd){.fd = 0, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = ended, .events = POLLIN};
        fds[2] = (struct pollfd){.fd = !keeps && output_waits() ? 1 : -1, .events = POLLOUT};
        if (poll(fds, 3 + (nfds_t)count, timeout) < 0) {
            if (errno == EINTR) continue;
            return 71;
        }
        int reap = fds[1].revents && read_signals(ended);
        step_ready(fds + 3, count);
        if (fds[0].revents) read_worker();
        step_tick(reap);
    }
}
