#define _GNU_SOURCE
#include "usage.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t cpu_us_of(const struct rusage *usage) {
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static int read_file(const char *path, char *into, size_t most) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t length = read(file, into, most - 1);
    close(file);
    if (length <= 0) return 0;
    into[length] = 0;
    return 1;
}

uint64_t live_cpu_us(void) {
    uint64_t ticks = 0;
    DIR *all = opendir("/proc");
    if (!all) return 0;
    for (struct dirent *one; (one = readdir(all));) {
        char path[300], text[1024];
        unsigned long user, system;
        long ended_user, ended_system;
        if (!isdigit((unsigned char)one->d_name[0]) || !strcmp(one->d_name, "1")) continue;
        snprintf(path, sizeof path, "/proc/%s/stat", one->d_name);
        if (!read_file(path, text, sizeof text)) continue;
        /* proc(5): the name in parentheses may hold anything; utime, stime, and those two of the children that it has
           waited for, are fields 14 to 17. */
        char *after = strrchr(text, ')');
        if (after && sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &user, &system,
                            &ended_user, &ended_system) == 4)
            ticks += user + system + (uint64_t)ended_user + (uint64_t)ended_system;
    }
    closedir(all);
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

int64_t oom_kills(void) {
    /* cgroup v1 (Linux 4.13 and later), then v2. */
    static const char *const files[] = {"/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"};
    for (int i = 0; i < 2; i++) {
        char text[1024];
        if (!read_file(files[i], text, sizeof text)) continue;
        char *found = strstr(text, "oom_kill ");
        if (found) return atoll(found + strlen("oom_kill "));
    }
    return -1;
}
