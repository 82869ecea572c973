#define _GNU_SOURCE
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "wire.h"

/* Closes `folder`, and reports the errno unless it is 0. */
static void end(int folder, int number, const char *path) {
    if (folder >= 0) close(folder);
    if (number) send_failure(IN_FILE, number, path);
}

void keep_folder(uint32_t mode, char *path) {
    char *name;
    int parent = open_parent(path, 1, &name);
    if (parent < 0) return end(parent, errno, path);
    int number = mkdirat(parent, name, 0700) != 0 && errno != EEXIST ? errno : 0;
    int folder = number ? -1 : openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!number && (folder < 0 || fchmod(folder, mode & 01777) != 0)) number = errno;
    if (folder >= 0) close(folder);
    end(parent, number, path);
}

void make_symlink(char *path, const char *target) {
    char *name;
    int parent = open_parent(path, 1, &name);
    int number = parent < 0 || symlinkat(target, parent, name) != 0 ? errno : 0;
    end(parent, number, path);
}

void make_hard_link(char *path, char *existing) {
    char *name, *old;
    int parent = open_parent(path, 1, &name);
    if (parent < 0) return end(parent, errno, path);
    int from = open_parent(existing, 0, &old);
    int number = from < 0 || linkat(from, old, parent, name, 0) != 0 ? errno : 0;
    if (from >= 0) close(from);
    end(parent, number, path);
}

void set_time(uint64_t seconds, char *path) {
    char *name;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)seconds}};
    int parent = open_parent(path, 0, &name);
    int number = parent < 0 || utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) != 0 ? errno : 0;
    end(parent, number, path);
}
