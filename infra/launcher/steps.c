#define _GNU_SOURCE
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct step_failure step_failure;

static int failed(void) { return errno ? errno : EIO; }

static int write_to(const char *path, int flags, mode_t mode, const char *text) {
    int file = open(path, flags | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0) return failed();
    size_t length = strlen(text), done = 0;
    while (done < length) {
        ssize_t put = write(file, text + done, length - done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            int number = failed();
            close(file);
            return number;
        }
        done += (size_t)put;
    }
    return close(file) ? failed() : 0;
}

/* A folder may be there already, where several containers share it. */
static int make_folder(const char *path, const char *mode) {
    if (mkdir(path, (mode_t)strtoul(mode, NULL, 8)) == 0) return 0;
    return errno == EEXIST ? 0 : failed();
}

/* A layer's path may be as long as it likes, but the kernel takes one page of options: so they may be relative to a folder. */
static int mount_overlay(const char *target, const char *folder, const char *options) {
    int before = open(".", O_PATH | O_CLOEXEC);
    int number = chdir(folder) || mount("overlay", target, "overlay", MS_NODEV, options) ? failed() : 0;
    if (fchdir(before)) give_up("the folder before a mount is gone");
    close(before);
    return number;
}

static int unmount(const char *path) {
    if (umount2(path, MNT_DETACH) == 0) return 0;
    /* It is not mounted any more, or never was. */
    return errno == EINVAL || errno == ENOENT ? 0 : failed();
}

static int remove_one(const char *path, const struct stat *found, int type, struct FTW *at) {
    (void)found, (void)type, (void)at;
    return remove(path) && errno != ENOENT ? -1 : 0;
}

/* Only for folders whose every file is made by the worker, the launcher or the runtime: few, and not deep. */
static int clear_folder(const char *path) {
    enum { OPEN_FOLDERS = 8 };
    if (nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0) return 0;
    return errno == ENOENT ? 0 : failed();
}

static int remove_cgroup(const char *path) { return rmdir(path) && errno != ENOENT ? failed() : 0; }

/* Kills all that a cgroup has. Its list is read again and again, since a process may have forked meanwhile. */
static enum outcome kill_in_cgroup(const char *path) {
    FILE *list = fopen(path, "re");
    if (!list) return errno == ENOENT || errno == ENODEV ? STEP_DONE : STEP_FAILED;
    enum outcome outcome = STEP_DONE;
    for (long pid; fscanf(list, "%ld", &pid) == 1;) {
        if (pid > 1) kill((pid_t)pid, SIGKILL);
        outcome = STEP_AGAIN;
    }
    fclose(list);
    return outcome;
}

static pid_t remove_tree(const char *path) {
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execlp("rm", "rm", "-rf", "--one-file-system", "--", path, (char *)NULL);
        _exit(127);
    }
    return child;
}

static enum outcome outcome_of(int number, const char *verb, const char *path) {
    if (number == 0) return STEP_DONE;
    step_failure = (struct step_failure){verb, path, number};
    return STEP_FAILED;
}

enum outcome do_step(struct message *steps, pid_t *child) {
    struct message before = *steps;
    const char *verb = next_word(steps), *path = next_word(steps);
    int number = 0;
    errno = 0;
    if (!strcmp(verb, "folder")) number = make_folder(path, next_word(steps));
    else if (!strcmp(verb, "file")) {
        const char *mode = next_word(steps);
        number = write_to(path, O_CREAT | O_TRUNC, (mode_t)strtoul(mode, NULL, 8), next_word(steps));
    } else if (!strcmp(verb, "write")) number = write_to(path, 0, 0, next_word(steps));
    else if (!strcmp(verb, "try")) {
        number = write_to(path, 0, 0, next_word(steps));
        if (number == ENOENT) number = 0;
    } else if (!strcmp(verb, "overlay")) {
        const char *folder = next_word(steps);
        number = mount_overlay(path, folder, next_word(steps));
    } else if (!strcmp(verb, "unmount")) number = unmount(path);
    else if (!strcmp(verb, "clear")) number = clear_folder(path);
    else if (!strcmp(verb, "unlink")) number = unlink(path) && errno != ENOENT ? failed() : 0;
    else if (!strcmp(verb, "rmdir")) {
        number = remove_cgroup(path);
        /* A cgroup is busy until the last of its processes is gone altogether. */
        if (number == EBUSY) {
            *steps = before;
            step_failure = (struct step_failure){"rmdir", path, EBUSY};
            return STEP_AGAIN;
        }
    } else if (!strcmp(verb, "empty")) {
        enum outcome outcome = kill_in_cgroup(path);
        if (outcome == STEP_FAILED) return outcome_of(failed(), verb, path);
        if (outcome == STEP_AGAIN) {
            *steps = before;
            step_failure = (struct step_failure){"empty", path, EBUSY};
        }
        return outcome;
    } else if (!strcmp(verb, "tree")) {
        /* Most sandboxes have written nothing to disk. */
        if (access(path, F_OK) && errno == ENOENT) return STEP_DONE;
        *child = remove_tree(path);
        return *child > 0 ? STEP_BEGUN : outcome_of(failed(), verb, path);
    } else give_up("a step is unknown");
    return outcome_of(number, verb, path);
}

int steps_left(const struct message *steps) { return steps->at < steps->end && strcmp(steps->at, ".") != 0; }

struct message take_steps(struct message *message) {
    struct message steps = {message->at, message->at};
    while (strcmp(next_word(message), ".") != 0);
    steps.end = message->at;
    return steps;
}

int do_all(struct message steps) {
    pid_t child;
    while (steps_left(&steps))
        if (do_step(&steps, &child) != STEP_DONE) return 0;
    return 1;
}
