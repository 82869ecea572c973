#define _GNU_SOURCE
#include "holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "usage.h"

enum { PROCESSES_MAX = 1 << 16, KCMP_OF_FILES = 2, OVERLAY_MAGIC = 0x794c7630 };

struct process {
    pid_t pid, parent;
    int inside;
};

static struct process processes[PROCESSES_MAX];
static size_t count;

static int by_pid(const void *one, const void *other) {
    pid_t a = ((const struct process *)one)->pid, b = ((const struct process *)other)->pid;
    return (a > b) - (a < b);
}

static struct process *find(pid_t pid) {
    struct process key = {.pid = pid};
    return bsearch(&key, processes, count, sizeof *processes, by_pid);
}

/*
 * The parent of a process; and whether its name is that of a container's keeper: what a keeper starts (a gofer, an exec) is this
 * container's.
 */
static pid_t parent_of(pid_t pid, int *keeps) {
    char path[64], text[1024], state;
    pid_t parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_file(path, text, sizeof text)) return 0;
    char *name = strchr(text, '('), *after = strrchr(text, ')');
    if (!name || !after || sscanf(after + 1, " %c %d", &state, &parent) != 2) return 0;
    *keeps = !strncmp(name, "(containerd-shim", 16) || !strncmp(name, "(conmon", 7);
    return parent;
}

static void look_at_all(void) {
    DIR *all = opendir("/proc");
    int keeps;
    count = 0;
    if (!all) return;
    for (struct dirent *one; count < PROCESSES_MAX && (one = readdir(all));) {
        if (!isdigit((unsigned char)one->d_name[0])) continue;
        pid_t pid = (pid_t)atoi(one->d_name);
        processes[count++] = (struct process){.pid = pid, .parent = parent_of(pid, &keeps)};
    }
    closedir(all);
    qsort(processes, count, sizeof *processes, by_pid);
}

static void mark_below(pid_t top) {
    for (int more = 1; more;) {
        more = 0;
        for (size_t i = 0; i < count; i++) {
            struct process *one = processes + i;
            if (one->inside) continue;
            struct process *parent = find(one->parent);
            one->inside = one->pid == top || (parent && parent->inside);
            more |= one->inside;
        }
    }
}

static const struct holders_look *look;

/* The number that follows `name` in a small file of /proc. */
static uint64_t number_in(int folder, const char *file, const char *name) {
    char text[1024];
    int from = openat(folder, file, O_RDONLY | O_CLOEXEC);
    ssize_t length = from < 0 ? -1 : read(from, text, sizeof text - 1);
    if (from >= 0) close(from);
    text[length < 0 ? 0 : length] = 0;
    char *found = strstr(text, name);
    return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

/*
 * Whether a link leads to a file on an overlay. For a container's processes that can only be the container's root. This holds for
 * gVisor's processes too, although their own root is another one.
 */
static int is_on_overlay(int from, const char *link) {
    struct statfs on;
    int file = openat(from, link, O_PATH | O_CLOEXEC);
    int is = file >= 0 && fstatfs(file, &on) == 0 && on.f_type == OVERLAY_MAGIC;
    if (file >= 0) close(file);
    return is;
}

/* Looks at the links in a folder of /proc. Their files are never opened. Returns how many descriptors are queued in its sockets. */
static uint64_t look_at_links(int process, const char *folder, const char *about) {
    uint64_t on_their_way = 0;
    int from = openat(process, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int info = about ? openat(process, about, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *links = from < 0 ? NULL : fdopendir(from);
    for (struct dirent *one; links && !look->enough() && (one = readdir(links));) {
        struct stat found;
        char path[PATH_MAX];
        if (one->d_name[0] == '.' || fstatat(from, one->d_name, &found, 0) != 0) continue;
        if (S_ISSOCK(found.st_mode) && info >= 0) on_their_way += number_in(info, one->d_name, "\nscm_fds:");
        if (!S_ISREG(found.st_mode) || found.st_nlink > 0) continue;
        ssize_t length = readlinkat(from, one->d_name, path, sizeof path - 1);
        path[length < 0 ? 0 : length] = 0;
        look->each(&found, path, is_on_overlay(from, one->d_name));
    }
    if (links) closedir(links);
    else if (from >= 0) close(from);
    if (info >= 0) close(info);
    return on_their_way;
}

/* Looks at all that the threads of a process have open. Returns how many descriptors are queued in its sockets. */
static uint64_t look_at_open_files(int process, pid_t pid) {
    uint64_t on_their_way = 0;
    char path[64], about[80];
    int inside = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *threads = inside < 0 ? NULL : fdopendir(inside);
    for (struct dirent *one; threads && (one = readdir(threads));) {
        pid_t thread = (pid_t)atoi(one->d_name);
        /* A thread may have descriptors of its own; mostly it shares those of the process. */
        if (thread <= 0 || (thread != pid && syscall(SYS_kcmp, pid, thread, KCMP_OF_FILES, 0, 0) == 0)) continue;
        snprintf(path, sizeof path, "task/%d/fd", (int)thread);
        snprintf(about, sizeof about, "task/%d/fdinfo", (int)thread);
        on_their_way += look_at_links(process, path, about);
    }
    if (threads) closedir(threads);
    else if (inside >= 0) close(inside);
    return on_their_way;
}

static int open_process(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct held look_at_holders(pid_t container, const struct holders_look *how) {
    struct held held = {0, 0};
    int keeps = 0, ignored;
    pid_t parent = parent_of(container, &ignored);
    look = how;
    if (parent > 1) parent_of(parent, &keeps);
    look_at_all();
    mark_below(keeps ? parent : container);
    /* What takes little time comes first, for all processes: there may be many mappings. */
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            /* The keeper itself holds no files of the container. */
            if (!processes[i].inside || (keeps && processes[i].pid == parent)) continue;
            int process = open_process(processes[i].pid);
            if (process < 0) continue;
            if (round == 0) held.written += number_in(process, "io", "\nwrite_bytes:");
            else if (round == 1) held.on_their_way += look_at_open_files(process, processes[i].pid);
            else look_at_links(process, "map_files", NULL);
            close(process);
        }
    }
    return held;
}
