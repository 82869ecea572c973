#define _GNU_SOURCE
#include "hold.h"

#include <errno.h>
#include <sys/wait.h>

#include "processes.h"
#include "stack.h"
#include "start.h"
#include "trace.h"
#include "usage.h"
#include "user.h"
#include "wire.h"

static struct {
    pid_t pid; /* 0: no program is held */
    int has_room; /* whether there is room for a stack of any size */
    struct streams streams;
} held;

/* Only for a PID 1 that has no other program. */
static void end_all(void) {
    do kill_programs();
    while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR);
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
    unsigned char reached = (unsigned char)run_until_path(held.pid, path, order.stack);
    if (!reached) end_all();
    act_as_program();
    if (!reached) forget();
    send_frame('h', &reached, 1);
    free_order(&order);
}

pid_t take_held(uint64_t stack, struct streams *streams, uint64_t *cpu_us) {
    pid_t pid = held.pid;
    if (!pid) return 0;
    /* The kernel may have killed it because memory ran out. */
    if (waitpid(pid, NULL, WNOHANG) != 0) {
        forget();
        return 0;
    }
    if (stack && (!held.has_room || stack > TRACED_STACK_MAX || limit_stack(pid, stack) != 0)) return 0;
    uint64_t used_us = cpu_us_until_now(pid);
    act_as_init();
    /* A killed process loses its memory before one can wait for it. In that moment only the failing detach shows that it is gone. */
    if (stop_tracing(pid) != 0) {
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
