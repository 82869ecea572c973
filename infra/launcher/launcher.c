/*
 * Starts OCI runtimes for the worker: see README.md beside this file.
 *   launcher PRELOAD ROOT KEPT…
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boxes.h"
#include "places.h"
#include "waiting.h"
#include "wire.h"

static void take(struct message *message) {
    const char *kind = next_word(message);
    if (!strcmp(kind, "run")) run_box(message);
    else if (!strcmp(kind, "kill")) kill_box(message);
    else if (!strcmp(kind, "remove")) remove_box(message);
    else if (!strcmp(kind, "do")) do_job(message);
    else give_up("a message is unknown");
}

static void reap(int signals) {
    struct signalfd_siginfo ignored;
    while (read(signals, &ignored, sizeof ignored) > 0);
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) child_ended(pid, status);
}

int main(int count, char **argv) {
    if (count < 3) give_up("usage: launcher PRELOAD ROOT KEPT…");
    /* The worker's own end is heard of by the end of the input. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    /* A runtime ends when its container runs. Then the container's first process becomes a child of this one. */
    if (signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1)) give_up(strerror(errno));
    read_preload(argv[1]);
    take_places(argv[2], argv + 3);
    reply("ready", NULL);
    struct pollfd watched[] = {{.fd = 0, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    for (int wait_ms = -1;; wait_ms = go_on()) {
        if (poll(watched, 2, wait_ms) < 0 && errno != EINTR) give_up(strerror(errno));
        if (watched[1].revents) reap(signals);
        if (!watched[0].revents) continue;
        if (!read_input()) break;
        for (struct message message; next_message(&message);) take(&message);
    }
    remove_all();
    return 0;
}
