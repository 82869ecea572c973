#define _GNU_SOURCE
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "waiting.h"

static int connect_to(const char *path, const char *hello) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (end < 0) return -1;
    size_t length = strlen(hello);
    if (connect(end, (struct sockaddr *)&address, sizeof address) == 0 && write(end, hello, length) == (ssize_t)length) return end;
    int number = errno;
    close(end);
    errno = number;
    return -1;
}

static int write_short(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    int written = write(file, text, strlen(text)) < 0 ? -1 : 0;
    int number = errno;
    close(file);
    errno = number;
    return written;
}

/*
 * A process that writes "0" to `tasks` moves itself without a wait. To write a number to any cgroup.procs takes 10 to 15 ms, since the
 * kernel waits for its RCU then (threadgroup_rwsem in kernel/cgroup/cgroup.c); version 2 has clone3 for that.
 */
static int enter_v1(char **cgroups) {
    for (; *cgroups; cgroups++)
        if (!strncmp(*cgroups, "v1 ", 3) && write_short(*cgroups + 3, "0")) return -1;
    return 0;
}

static const char *v2_of(char **cgroups) {
    for (; *cgroups; cgroups++)
        if (!strncmp(*cgroups, "v2 ", 3)) return *cgroups + 3;
    return NULL;
}

/* Like fork, with the child in this cgroup of version 2 from its first moment, where there is one. */
static pid_t fork_into(const char *cgroup) {
    if (!cgroup) return fork();
    int folder = open(cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -1;
    struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)folder};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    int number = errno;
    /* Before Linux 5.7. */
    int too_old = pid < 0 && (number == ENOSYS || number == E2BIG || number == EINVAL);
    if (too_old) pid = fork();
    if (pid == 0 && too_old) {
        char path[4200];
        snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
        if (write_short(path, "0")) _exit(126);
    }
    if (pid != 0) {
        close(folder);
        if (!too_old) errno = number;
    }
    return pid;
}

/*
 * A sealed copy of a program in memory. crun and runc keep a container from writing to their own program (CVE-2019-5736) by executing
 * themselves a second time from such a copy, unless they find that they are one already: that is a third of what a start costs.
 */
static int sealed_copy(const char *path) {
    enum { COPIES = 4, SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
    static struct { char path[256]; int copy; } copies[COPIES];
    static int count;
    for (int i = 0; i < count; i++)
        if (!strcmp(copies[i].path, path)) return copies[i].copy;
    if (count == COPIES || strlen(path) >= sizeof copies[0].path) return -1;
    int file = open(path, O_RDONLY | O_CLOEXEC), copy = file < 0 ? -1 : memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy >= 0) {
        ssize_t sent = 1;
        while (sent > 0) sent = sendfile(copy, file, NULL, 1 << 20);
        /* A script has no use for it: its interpreter would be given a descriptor that is closed by then. */
        char magic[2] = "";
        if (sent < 0 || pread(copy, magic, 2, 0) != 2 || !memcmp(magic, "#!", 2) || fchmod(copy, 0500) || fcntl(copy, F_ADD_SEALS, SEALS)) {
            close(copy);
            copy = -1;
        }
    }
    if (file >= 0) close(file);
    strcpy(copies[count].path, path);
    return copies[count++].copy = copy;
}

static pid_t execute(const struct start *start, int copy, int stream, int complaints) {
    static char *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    pid_t pid = fork_into(v2_of(start->cgroups));
    if (pid != 0) return pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    dup2(stream, 0);
    dup2(stream, 1);
    dup2(complaints, 2);
    if (enter_v1(start->cgroups)) {
        dprintf(2, "the container's cgroup cannot be entered: %s\n", strerror(errno));
        _exit(126);
    }
    /* Where memory may not be executed (vm.memfd_noexec), it is the file. */
    if (copy >= 0) fexecve(copy, start->argv, environment);
    execve(start->argv[0], start->argv, environment);
    dprintf(2, "%s: %s\n", start->argv[0], strerror(errno));
    _exit(127);
}

static int open_v2(char **cgroups) {
    const char *folder = v2_of(cgroups);
    return folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

pid_t start_runtime(const struct start *start) {
    int copy = strcmp(start->how, "file") ? sealed_copy(start->argv[0]) : -1;
    int stream = connect_to(start->socket, start->hello);
    if (stream < 0) return -1;
    int complaints = open(start->complaints, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    int cgroup = open_v2(start->cgroups);
    pid_t pid = complaints < 0 || strcmp(start->how, "waiting") ? -1 : start_waiting(copy, start->argv, start->cgroups, stream, complaints, cgroup);
    if (pid < 0 && complaints >= 0) pid = execute(start, copy, stream, complaints);
    int number = errno;
    close(stream);
    if (complaints >= 0) close(complaints);
    if (cgroup >= 0) close(cgroup);
    errno = number;
    return pid;
}
