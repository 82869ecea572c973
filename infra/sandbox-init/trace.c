#define _GNU_SOURCE
#include "trace.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stack.h"
#include "usage.h"

/* An interpreter makes some hundreds of system calls before it opens its script. It stops twice at each, and a stop takes 10 to 20 us. */
enum { TRACE_MAX_US = 500000 };

#ifndef PTRACE_GET_SYSCALL_INFO
#define PTRACE_GET_SYSCALL_INFO 0x420e
#endif
/* ptrace(2), since Linux 5.3: this gives the arguments on every processor type. On an older kernel no program is held. */
enum { AT_ENTRY_OF_CALL = 1 };
struct call {
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t instruction_pointer, stack_pointer, number, args[6];
};

int ask_to_be_traced(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno; }

/* Waits for the child's next status; -1 when that takes too long. SIGCHLD is blocked, so it is waited for and not handled. */
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

/* A system call with a path has it as its first argument, or as its second, after the folder. */
static int is_given(pid_t pid, const struct call *call, const char *path, const char *absolute) {
    for (int i = 0; i < 2; i++)
        if (is_at(pid, call->args[i], path) || (*absolute && is_at(pid, call->args[i], absolute))) return 1;
    return 0;
}

int run_until_path(pid_t pid, const char *path, uint64_t stack) {
    uint64_t until_us = now_us() + TRACE_MAX_US;
    int status;
    /* ptrace(2): a traced child stops with SIGTRAP right after it has executed the program. */
    if (next_stop(pid, &status, until_us) != 0 || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) return 0;
    /*
     * The room for the stack is fixed now. The limit goes down again, since threads would take it as the size of their stacks
     * (pthread_attr_init(3)).
     */
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
            number = status >> 16 ? 0 : WSTOPSIG(status); /* a tracing event, or a signal for the program */
        }
    }
}

int stop_tracing(pid_t pid) { return ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0 ? 0 : -1; }
