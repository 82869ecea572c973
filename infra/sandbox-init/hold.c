#define _GNU_SOURCE
#include "hold.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "processes.h"
#include "stack.h"
#include "usage.h"
#include "user.h"
#include "wire.h"

static struct {
    pid_t pid; /* 0: there is none */
    int has_room; /* for a stack of any size */
    struct streams streams;
} held;

/* An interpreter makes some hundreds of system calls before it opens its script, and stops twice at each: 10 to 20 us a stop. */
enum { HOLD_MOST_US = 500000 };

#ifndef PTRACE_GET_SYSCALL_INFO
#define PTRACE_GET_SYSCALL_INFO 0x420e
#endif
/* ptrace(2), since Linux 5.3: whatever the processor, the arguments stand here. A kernel without it holds nothing. */
enum { AT_ENTRY_OF_CALL = 1 };
struct call {
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t instruction_pointer, stack_pointer, number, args[6];
};

int ask_to_be_held(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno; }

/* Of a PID 1 that has no other program. */
static void end_all(void) {
    do kill_programs();
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR);
}

/* What has become of it, -1 when it took too long. SIGCHLD is blocked: it is waited for, not handled. */
static int next_stop(pid_t pid, int *status, uint64_t until_us) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        pid_t found = waitpid(pid, status, WNOHANG | __WALL);
        if (found == pid) return 0;
        if (found < 0 && errno != EINTR) return -1;
        uint64_t now = now_us();
        if (now >= until_us) return -1;
        struct timespec left = {.tv_nsec = (long)((until_us - now) * 1000)};
        sigtimedwait(&child, NULL, &left);
    }
}

static int is_at(pid_t pid, uint64_t address, const char *path) {
    size_t length = strlen(path) + 1;
    if (!address) return 0;
    for (size_t from = 0; from < length; from += sizeof(long)) {
        errno = 0;
        long word = ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)(address + from), NULL);
        if (errno) return 0;
        if (memcmp(&word, path + from, length - from < sizeof word ? length - from : sizeof word)) return 0;
    }
    return 1;
}

/* Calls that take a path have it first, or behind the folder that it is in. */
static int is_given(pid_t pid, const struct call *call, const char *path, const char *absolute) {
    for (int i = 0; i < 2; i++)
        if (is_at(pid, call->args[i], path) || (*absolute && is_at(pid, call->args[i], absolute))) return 1;
    return 0;
}

/*
 * Lets `pid` go on to its first system call that is given `path`, as it stands or as an absolute path below this process's
 * folder. 0: it ended, took too long, or cannot be held here.
 */
static int reach(pid_t pid, const char *path, uint64_t stack) {
    uint64_t until_us = now_us() + HOLD_MOST_US;
    int status;
    /* ptrace(2): one that asked for it stops with SIGTRAP as it has executed the program. */
    if (next_stop(pid, &status, until_us) != 0 || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) return 0;
    /* It has its room, and shall not take all of that for the size of its threads' stacks (pthread_attr_init(3)). */
    if (limit_stack(pid, stack) != 0) return 0;
    long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
    if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) != 0) return 0;

    char absolute[PATH_MAX] = "", folder[PATH_MAX];
    if (*path != '/' && getcwd(folder, sizeof folder)) {
        int length = snprintf(absolute, sizeof absolute, "%s/%s", folder, path);
        if (length >= (int)sizeof absolute) *absolute = 0;
    }
    for (int number = 0;;) {
        if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)number) != 0) return 0;
        if (next_stop(pid, &status, until_us) != 0 || !WIFSTOPPED(status)) return 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct call call;
            number = 0;
            if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof call, &call) <= 0) return 0;
            if (call.op == AT_ENTRY_OF_CALL && is_given(pid, &call, path, absolute)) return 1;
        } else {
            number = status >> 16 ? 0 : WSTOPSIG(status); /* an event of ours, or a signal of its own */
        }
    }
}

static void forget(void) {
    held.pid = 0;
    close_streams(&held.streams);
}

void drop_held(void) {
    if (!held.pid) return;
    act_as_init();
    end_all();
    act_as_program();
    forget();
}

void hold_program(unsigned char *payload, size_t length) {
    struct order order;
    int report;
    if (is_apart()) broken("HOLD beside a service");
    read_order(&order, payload, length, 1);
    const char *path = order.rest[0];
    if (order.flags & WITH_TTY) broken("HOLD with a terminal");
    if (!*path) broken("HOLD until nothing");
    drop_held();
    held.pid = start_program(&order, &held.streams, &report, 1);
    close(report);
    held.has_room = order.stack != 0;
    unsigned char reached = (unsigned char)reach(held.pid, path, order.stack);
    if (!reached) end_all();
    act_as_program();
    if (!reached) forget();
    send_frame('h', &reached, 1);
    free_order(&order);
}

pid_t take_held(uint64_t stack, struct streams *streams, uint64_t *cpu_us) {
    pid_t pid = held.pid;
    if (!pid) return 0;
    /* The kernel may have ended it for want of memory. */
    if (waitpid(pid, NULL, WNOHANG) != 0) {
        forget();
        return 0;
    }
    if (stack && (!held.has_room || stack > HELD_STACK_MOST || limit_stack(pid, stack) != 0)) return 0;
    uint64_t used_us = cpu_us_until_now(pid);
    act_as_init();
    /* The kernel takes its memory before it can be waited for: then it can only be let go of no more. */
    if (ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0) {
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR) {}
        act_as_program();
        forget();
        return 0;
    }
    *streams = held.streams;
    *cpu_us = used_us;
    held.pid = 0;
    return pid;
}

void held_may_have_ended(pid_t pid) {
    if (pid == held.pid) forget();
}
