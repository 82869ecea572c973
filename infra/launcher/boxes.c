#define _GNU_SOURCE
#include "boxes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "start.h"
#include "steps.h"

enum { AGAIN_MS = 2, MAX_AGAIN_MS = 50, PATIENCE_MS = 5000 };

enum state {
    /* The runtime has been started and has not ended. */
    STARTING,
    /* The container is there. */
    RUNNING,
    /* Its first process has ended, and with it all others. */
    ENDED,
};

/* A container, or steps by themselves: these are as a container that has ended, and is removed. */
struct box {
    struct box *next;
    char *memory;
    const char *id, *pid_file, *complaints;
    struct message after, removal;
    enum state state;
    pid_t runtime, pid, helper;
    int removing, wait_ms;
    long long due, give_up_at;
};

static struct box *boxes;

static long long now_ms(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000LL + at.tv_nsec / 1000000;
}

static struct box *find(const char *id) {
    struct box *box = boxes;
    while (box && strcmp(box->id, id)) box = box->next;
    return box;
}

static void forget(struct box *box) {
    struct box **link = &boxes;
    while (*link != box) link = &(*link)->next;
    *link = box->next;
    free(box->memory);
    free(box);
}

/* Its strings stay valid: it has a copy of the message. */
static struct box *new_box(struct message *message) {
    size_t length = (size_t)(message->end - message->at);
    struct box *box = calloc(1, sizeof *box);
    char *memory = malloc(length);
    if (!box || !memory) give_up("out of memory");
    memcpy(memory, message->at, length);
    *message = (struct message){memory, memory + length};
    box->memory = memory;
    box->next = boxes;
    box->id = next_word(message);
    boxes = box;
    return box;
}

static void say_failed(const struct box *box, const char *stage, int number, const char *text) {
    char digits[16];
    snprintf(digits, sizeof digits, "%d", number);
    reply("failed", box->id, stage, digits, text, NULL);
}

static void say_step_failed(const struct box *box) {
    char text[512];
    snprintf(text, sizeof text, "%s %s: %s", step_failure.verb, step_failure.path, strerror(step_failure.number));
    say_failed(box, "step", step_failure.number, text);
}

static void begin_removal(struct box *box) {
    box->removing = 1;
    box->wait_ms = AGAIN_MS;
    box->due = 0;
    box->give_up_at = now_ms() + PATIENCE_MS;
}

void run_box(struct message *message) {
    static char *tasks[64], *argv[64];
    struct box *box = new_box(message);
    const char *how = next_word(message);
    const char *socket_path = next_word(message), *hello = next_word(message);
    box->pid_file = next_word(message);
    box->complaints = next_word(message);
    struct message before = take_steps(message);
    next_list(message, tasks, sizeof tasks / sizeof *tasks);
    next_list(message, argv, sizeof argv / sizeof *argv);
    box->after = take_steps(message);
    box->removal = take_steps(message);
    box->state = STARTING;
    if (!do_all(before)) {
        box->state = ENDED;
        say_step_failed(box);
        return;
    }
    struct start start = {socket_path, hello, box->complaints, tasks, argv, how};
    box->runtime = start_runtime(&start);
    if (box->runtime > 0) return;
    box->state = ENDED;
    say_failed(box, "launch", errno, strerror(errno));
}

static pid_t read_pid(const char *path) {
    char text[32];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    if (length <= 0) return -1;
    text[length] = 0;
    pid_t pid = (pid_t)atol(text);
    return pid > 1 ? pid : -1;
}

/* What the runtime said on its stderr, as far as one message has room for it. */
static void say_why(const struct box *box, int status) {
    char text[4096] = "";
    int file = open(box->complaints, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0) close(file);
    text[length > 0 ? length : 0] = 0;
    say_failed(box, "runtime", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text);
}

static void runtime_ended(struct box *box, int status) {
    box->runtime = 0;
    box->pid = read_pid(box->pid_file);
    int works = WIFEXITED(status) && WEXITSTATUS(status) == 0 && box->pid > 0;
    /* The container may have come all the same, and the runtime been killed after that. */
    box->state = box->pid > 0 ? RUNNING : ENDED;
    if (!works) say_why(box, status);
    else if (!do_all(box->after)) say_step_failed(box);
    else {
        char digits[16];
        snprintf(digits, sizeof digits, "%d", box->pid);
        reply("started", box->id, digits, NULL);
        if (!box->removing) return;
    }
    if (box->pid > 0) kill(box->pid, SIGKILL);
}

void child_ended(pid_t pid, int status) {
    for (struct box *box = boxes; box; box = box->next) {
        if (box->runtime == pid) {
            runtime_ended(box, status);
            return;
        }
        if (box->helper == pid) {
            box->helper = 0;
            box->due = 0;
            return;
        }
        if (box->pid == pid && box->state == RUNNING) {
            /* The worker sees it by the end of its streams. */
            box->state = ENDED;
            box->due = 0;
            return;
        }
    }
}

void kill_box(struct message *message) {
    const struct box *box = find(next_word(message));
    if (!box) return;
    if (box->runtime > 0) kill(box->runtime, SIGKILL);
    /* It was not waited for yet, so the number is nobody else's. */
    if (box->state == RUNNING) kill(box->pid, SIGKILL);
}

void remove_box(struct message *message) {
    const char *id = next_word(message);
    struct box *box = find(id);
    if (!box) {
        reply("done", id, NULL);
        return;
    }
    begin_removal(box);
    if (box->state == RUNNING) kill(box->pid, SIGKILL);
}

void do_job(struct message *message) {
    struct box *box = new_box(message);
    box->removal = take_steps(message);
    box->state = ENDED;
    begin_removal(box);
}

/* Returns whether it is over. */
static int remove_on(struct box *box, long long now) {
    if (box->state != ENDED || box->helper || box->due > now) return 0;
    while (steps_left(&box->removal)) {
        switch (do_step(&box->removal, &box->helper)) {
        case STEP_DONE: continue;
        case STEP_BEGUN: return 0;
        case STEP_AGAIN:
            if (now < box->give_up_at) {
                box->due = now + box->wait_ms;
                box->wait_ms = box->wait_ms * 2 > MAX_AGAIN_MS ? MAX_AGAIN_MS : box->wait_ms * 2;
                return 0;
            }
            /* fall through */
        case STEP_FAILED: say_step_failed(box); return 1;
        }
    }
    reply("done", box->id, NULL);
    return 1;
}

int go_on(void) {
    long long now = now_ms(), soonest = -1;
    for (struct box *box = boxes, *next; box; box = next) {
        next = box->next;
        if (!box->removing) continue;
        if (remove_on(box, now)) forget(box);
        else if (box->state == ENDED && !box->helper && (soonest < 0 || box->due < soonest)) soonest = box->due;
    }
    return soonest < 0 ? -1 : soonest <= now ? 1 : (int)(soonest - now);
}

void remove_all(void) {
    for (struct box *box = boxes; box; box = box->next) {
        if (!box->removing) begin_removal(box);
        if (box->runtime > 0) kill(box->runtime, SIGKILL);
        if (box->state == RUNNING) kill(box->pid, SIGKILL);
    }
    for (long long until = now_ms() + PATIENCE_MS; boxes && now_ms() < until;) {
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) child_ended(pid, status);
        if (go_on() != 0 && boxes) usleep(1000);
    }
}
