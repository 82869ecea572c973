#define _GNU_SOURCE
#include "disk.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holders.h"
#include "seen.h"
#include "usage.h"
#include "walk.h"

enum { REQUEST_MAX = 256 * 1024, GROUPS_MAX = 64, PLACES_MAX = 128, TURNS = 256, NICE = -10 };

/* Everything that one limit applies to. */
struct group {
    uint64_t bytes, max_bytes, least;
};

/* A folder or file of the engine's machine, and its path in the container ("/": the container's root). */
struct place {
    size_t group;
    const char *path, *inside;
    dev_t device;
};

static struct group groups[GROUPS_MAX];
static struct place places[PLACES_MAX];
static size_t group_count, place_count, current;
static uint64_t part_us, until_us;
static int late;

static void count_in(size_t group, const struct stat *found) {
    uint64_t bytes = (uint64_t)found->st_blocks * 512;
    /* Names and inodes take room as well: empty files are not free. */
    groups[group].bytes += bytes < groups[group].least ? groups[group].least : bytes;
}

static void count_named(const struct stat *found) {
    if (found->st_nlink > 1 && !S_ISDIR(found->st_mode) && seen_before(found)) return;
    count_in(current, found);
}

static int out_of_time(void) {
    static unsigned turn;
    if (++turn % TURNS == 0 && now_us() > until_us) late = 1;
    return late;
}

static int enough(void) { return out_of_time() || groups[current].bytes > groups[current].max_bytes; }

/* Names and holders each have their own share of the time. So a large number of one does not hide the other. */
static int begin_part(uint64_t us) {
    int was_late = late;
    late = 0;
    until_us = now_us() + us;
    return !was_late;
}

/* Whether `path` is `folder` or lies below it. */
static int lies_in(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return !strncmp(path, folder, length) && (path[length] == '/' || path[length] == 0 || path[length] == ' ');
}

/* Counts the file for the deepest place whose folder it was in; if there is none, for the container's root. */
static void count_nameless(const struct stat *found, const char *path, int on_overlay) {
    struct place *of = NULL;
    int known = on_overlay;
    for (size_t i = 0; i < place_count; i++) {
        struct place *one = places + i;
        known |= one->device == found->st_dev;
        if (one->inside[1] && lies_in(path, one->inside) && (!of || strlen(one->inside) > strlen(of->inside))) of = one;
    }
    /* Memory (memfd, /dev/shm) is counted by the memory limit. Files on any other file system are not counted here. */
    if (known && place_count > 0 && !seen_before(found)) count_in(of ? of->group : 0, found);
}

static const char *next(const char **at, const char *end) {
    const char *field = *at;
    const char *stop = field < end ? memchr(field, 0, (size_t)(end - field)) : NULL;
    if (!stop) exit(65);
    *at = stop + 1;
    return field;
}

/*
 * The fields: PID, ms, number of groups; for each group its limit in bytes and the least that a file counts; then for each place
 * its group, its path, and its path in the container.
 */
static pid_t understand(const char *at, const char *end) {
    pid_t pid = (pid_t)atoi(next(&at, end));
    part_us = (uint64_t)atoll(next(&at, end)) * 1000 / 2;
    group_count = (size_t)atoll(next(&at, end));
    if (group_count < 1 || group_count > GROUPS_MAX) exit(65);
    for (size_t i = 0; i < group_count; i++) {
        uint64_t max_bytes = strtoull(next(&at, end), NULL, 10);
        groups[i] = (struct group){0, max_bytes, strtoull(next(&at, end), NULL, 10)};
    }
    for (place_count = 0; at < end; place_count++) {
        if (place_count == PLACES_MAX) exit(65);
        struct place *one = places + place_count;
        one->group = (size_t)atoll(next(&at, end));
        one->path = next(&at, end);
        one->inside = next(&at, end);
        if (one->group >= group_count || one->inside[0] != '/') exit(65);
    }
    return pid;
}

static void measure(const char *request, size_t length) {
    pid_t pid = understand(request, request + length);
    int complete = 1;
    struct stat found;
    for (size_t i = 0; i < place_count; i++)
        places[i].device = lstat(places[i].path, &found) == 0 ? found.st_dev : 0;
    begin_part(part_us);
    for (size_t i = 0; i < place_count; i++) {
        current = places[i].group;
        if (!enough()) complete &= walk(places[i].path, &(struct look){count_named, enough});
    }
    struct held held = {0, 0};
    complete &= begin_part(part_us);
    if (pid > 0) held = look_at_holders(pid, &(struct holders_look){count_nameless, out_of_time});
    forget_seen();
    printf("%d %llu %llu", complete && !late, (unsigned long long)held.on_their_way, (unsigned long long)held.written);
    for (size_t i = 0; i < group_count; i++) printf(" %llu", (unsigned long long)groups[i].bytes);
    putchar('\n');
    fflush(stdout);
}

int measure_disks(void) {
    static char request[REQUEST_MAX];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* What it measures goes on being written meanwhile, and it must not have to wait for whoever is busy here. */
    setpriority(PRIO_PROCESS, 0, NICE);
    for (;;) {
        uint32_t length;
        if (fread(&length, sizeof length, 1, stdin) != 1) return 0;
        if (length > sizeof request || fread(request, 1, length, stdin) != length) return 65;
        measure(request, length);
    }
}
