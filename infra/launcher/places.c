#define _GNU_SOURCE
#include "places.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wire.h"

enum { MOUNTS_MAX = 64, PATH_ROOM = 4096 };

static void must(int result, const char *what) {
    static char why[PATH_ROOM];
    if (result == 0) return;
    snprintf(why, sizeof why, "%s: %s", what, strerror(errno));
    give_up(why);
}

/* Puts what is at `path` at the same path below `at`, without what is mounted below it. */
static void keep(const char *at, const char *path) {
    char target[PATH_ROOM];
    snprintf(target, sizeof target, "%s%s", at, path);
    must(mount(path, target, NULL, MS_BIND, NULL), path);
}

/* Whether one of these paths is below this one. */
static int leads_to(const char *path, char **kept) {
    size_t length = strlen(path);
    for (; *kept; kept++)
        if (!strncmp(*kept, path, length) && (*kept)[length] == '/') return 1;
    return 0;
}

/*
 * The machine's cgroups, but for a version 2 below version 1 (the "hybrid" mount of older systemds): there it has no controllers, and crun
 * refuses a machine that has both. And the file systems that kept folders lie on: /run and /var mostly are not the root's.
 */
static size_t wanted_mounts(char paths[MOUNTS_MAX][PATH_ROOM], char **kept) {
    FILE *mounts = fopen("/proc/self/mounts", "re");
    if (!mounts) give_up("/proc/self/mounts cannot be read");
    size_t count = 0;
    char path[PATH_ROOM], type[64];
    while (count < MOUNTS_MAX && fscanf(mounts, "%*s %4095s %63s %*[^\n]", path, type) == 2) {
        int is_cgroups = !strcmp(path, "/sys/fs/cgroup") ? !strcmp(type, "tmpfs") || !strcmp(type, "cgroup2")
                                                         : !strncmp(path, "/sys/fs/cgroup/", 15) && !strcmp(type, "cgroup");
        int wanted = is_cgroups || (strcmp(path, "/") && leads_to(path, kept));
        if (wanted) strcpy(paths[count++], path);
    }
    fclose(mounts);
    return count;
}

void take_places(const char *at, char **kept) {
    static char mounts[MOUNTS_MAX][PATH_ROOM];
    must(unshare(CLONE_NEWNS), "a mount namespace cannot be made");
    must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "the mounts cannot be made private");
    size_t count = wanted_mounts(mounts, kept);
    must(mount("/", at, NULL, MS_BIND, NULL), at);
    keep(at, "/proc");
    keep(at, "/dev");
    keep(at, "/sys");
    for (size_t i = 0; i < count; i++) keep(at, mounts[i]);
    for (; *kept; kept++) keep(at, *kept);
    must(chdir(at), at);
    /* Both at the same place: the old root is then on top of the new one, and is taken away there (pivot_root(2)). */
    must((int)syscall(SYS_pivot_root, ".", "."), "the root cannot be changed");
    must(umount2(".", MNT_DETACH), "the old root cannot be left");
    must(chdir("/"), "/");
}
