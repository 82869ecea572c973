/*
 * Loaded into a runtime in front of its own libraries (LD_PRELOAD). The dynamic linker calls `wait_for_work` when all of them are loaded, and
 * before the runtime's `main`. It stays there, and for each container a copy of this process goes on to `main`. See "A runtime that waits" in
 * ../README.md.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MESSAGE_MAX = 64 * 1024, FILES = 3 };

static char message[MESSAGE_MAX];

/* Without the destructors of a dozen libraries: the kernel frees all of it. */
static void end_at_once(int status, void *unused) {
    (void)unused;
    fflush(NULL);
    _exit(status);
}

/* How often this process is still to go on as its own child. */
static int forks_to_skip;
static pid_t (*real_fork)(void);

/*
 * `run --detach` forks twice before it begins, so that what started it need not be the container's parent (crun 1.8: libcrun_container_run,
 * detach_process). Here the launcher is that anyway. So the process itself goes on where its child would, and its exit code is the child's.
 */
pid_t fork(void) {
    if (forks_to_skip == 0) return real_fork();
    /* Registered here, after the dynamic linker's own, so that it comes before those. */
    if (--forks_to_skip == 0) on_exit(end_at_once, NULL);
    return 0;
}

static int detaches(char **argv, int count) {
    for (int i = 1; i < count; i++)
        if (!strcmp(argv[i], "--detach")) return 1;
    return 0;
}

/* Its length; 0 or less: nobody sends any more. */
static ssize_t receive(int end, int files[FILES]) {
    union { struct cmsghdr header; char room[CMSG_SPACE(FILES * sizeof(int))]; } control;
    struct iovec data = {message, sizeof message};
    struct msghdr head = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    for (int i = 0; i < FILES; i++) files[i] = -1;
    ssize_t length;
    do length = recvmsg(end, &head, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    struct cmsghdr *found = length > 0 ? CMSG_FIRSTHDR(&head) : NULL;
    if (found && found->cmsg_type == SCM_RIGHTS && found->cmsg_len >= CMSG_LEN(0)) {
        size_t bytes = found->cmsg_len - CMSG_LEN(0);
        memcpy(files, CMSG_DATA(found), bytes > FILES * sizeof(int) ? FILES * sizeof(int) : bytes);
    }
    return length;
}

/* Like fork. The launcher, which is the parent of this process, becomes the parent of the copy, and is told when it ends. */
static pid_t copy_into(int cgroup) {
    if (cgroup < 0) return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
    struct clone_args args = {.flags = CLONE_INTO_CGROUP | CLONE_PARENT, .cgroup = (uint64_t)cgroup};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static int enter(const char *tasks) {
    int file = open(tasks, O_WRONLY | O_CLOEXEC);
    int written = file < 0 ? -1 : (int)write(file, "0", 1);
    if (file >= 0) close(file);
    return written == 1 ? 0 : -1;
}

/* The files of cgroups to enter, an empty string, and as many arguments as this process has. */
static void become(char **argv, int count, const char *at, const char *end) {
    for (; at < end && *at; at += strlen(at) + 1)
        if (enter(at)) {
            dprintf(2, "the container's cgroup cannot be entered: %s\n", strerror(errno));
            _exit(126);
        }
    at++;
    for (int i = 0; i < count; i++, at += strlen(at) + 1) {
        if (at >= end) _exit(126);
        argv[i] = (char *)at;
    }
}

__attribute__((constructor)) static void wait_for_work(int count, char **argv) {
    const char *number = getenv("RUNLET_WAITING");
    real_fork = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork");
    if (!number) return;
    int end = atoi(number), files[FILES];
    unsetenv("RUNLET_WAITING");
    unsetenv("LD_PRELOAD");
    unsetenv("LD_BIND_NOW");
    int32_t answer = 0;
    for (;;) {
        if (send(end, &answer, sizeof answer, MSG_NOSIGNAL) != sizeof answer) _exit(0);
        ssize_t length = receive(end, files);
        if (length <= 0 || message[length - 1]) _exit(0);
        pid_t pid = copy_into(files[2]);
        if (pid == 0) {
            close(end);
            dup2(files[0], 0);
            dup2(files[0], 1);
            dup2(files[1], 2);
            for (int i = 0; i < FILES; i++)
                if (files[i] > 2) close(files[i]);
            become(argv, count, message, message + length);
            if (detaches(argv, count)) forks_to_skip = 2;
            else setsid();
            return;
        }
        answer = pid > 0 ? pid : -errno;
        for (int i = 0; i < FILES; i++)
            if (files[i] >= 0) close(files[i]);
    }
}
