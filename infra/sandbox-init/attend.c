#define _GNU_SOURCE
#include "attend.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"
#include "uncounted.h"
#include "usage.h"

/*
 * This uses the kernel's own signal set and system calls. A C library leaves the signals that it keeps for itself out of its sets
 * (musl 32 to 34, glibc 32 and 33), and 34 is what Docker calls SIGRTMIN.
 */
static const uint64_t all = ~(uint64_t)0;
static uint64_t before;

/* The worker reads this line (services/worker/services/not-executed.ts). So does a person who reads the log. */
static void say_not_executed(const char *name, int number) {
    char line[1024], shown[512];
    size_t length = strnlen(name, sizeof shown - 1);
    for (size_t i = 0; i < length; i++) shown[i] = (unsigned char)name[i] < ' ' || name[i] == 127 ? '?' : name[i];
    shown[length] = 0;
    int size = snprintf(line, sizeof line, "runlet-init: cannot execute %s: error %d\n", shown, number);
    if (write(2, line, (size_t)size) < 0) { /* the exit code still tells it */ }
}

pid_t start_attended(char **argv) {
    /* If SIGCHLD were ignored (this is inherited), the kernel would leave no ended child to wait for. */
    signal(SIGCHLD, SIG_DFL);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    pid_t pid = fork();
    if (pid > 0) return pid;
    int number = errno;
    if (pid == 0) {
        setsid(); /* as the runtime does for PID 1 */
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
        number = find_and_exec(argv, environ);
    }
    say_not_executed(argv[0], number);
    /* The exit code that a shell gives, too. */
    _exit(number == ENOENT || number == ENOTDIR ? 127 : 126);
}

/* The next signal, or 0 when none came in time. With `wait_us` below 0 it waits for ever. */
static int next_signal(int64_t wait_us) {
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    siginfo_t info;
    long number = syscall(SYS_rt_sigtimedwait, &all, &info, wait_us < 0 ? NULL : &wait, sizeof all);
    return number > 0 ? (int)number : 0;
}

/* Reaps the children that have ended. Returns whether `program` was one of them; `*left` says whether there are still children. */
static int reap(pid_t program, int *status, int *left) {
    int one, met = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &one, WNOHANG)) > 0) {
        if (pid != program) continue;
        *status = one;
        met = 1;
    }
    *left = pid == 0;
    return met;
}

/* Nobody else ends the program for this: the memory limit does not count it, and a service has no step that could be ended. */
static void end_all_for_uncounted(void) {
    static const char line[] =
        "runlet-init: ended, for more of the kernel's memory than a service may hold beside its memory limit: "
        "messages in sockets that nobody reads, locks, terminals\n";
    if (write(2, line, sizeof line - 1) < 0) { /* the exit code still says SIGKILL */ }
    kill(-1, SIGKILL);
}

/*
 * What is executed beside the program is ended by an init of its own, which has a lower limit. On a busy machine that one may look a little
 * later.
 */
enum { OTHERS_US = 300000 };

static int holds_too_much_still(struct watch *watch, uint64_t now) {
    if (!holds_too_much(watch, now, SERVICE_UNCOUNTED_MAX)) return 0;
    usleep(OTHERS_US);
    return uncounted_bytes(SERVICE_UNCOUNTED_MAX) > SERVICE_UNCOUNTED_MAX;
}

int attend(pid_t program) {
    int status = 0, left;
    struct watch watch;
    begin_watch(&watch, now_us());
    for (;;) {
        uint64_t now = now_us();
        if (holds_too_much_still(&watch, now)) end_all_for_uncounted();
        int number = next_signal(watch.next_us > now ? (int64_t)(watch.next_us - now) : 0);
        if (number == SIGCHLD) {
            if (reap(program, &status, &left)) break;
        } else if (number) {
            kill(program, number);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void end_others(int max_ms) {
    uint64_t until = now_us() + (uint64_t)max_ms * 1000;
    int status, left;
    reap(0, &status, &left);
    if (!left || kill(-1, SIGTERM) != 0) return;
    for (;;) {
        reap(0, &status, &left);
        uint64_t now = now_us();
        if (!left || now >= until) return;
        int number = next_signal((int64_t)(until - now));
        if (number && number != SIGCHLD) kill(-1, number);
    }
}
