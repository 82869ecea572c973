#define _GNU_SOURCE
#include "cgroup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "usage.h"

/*
 * First for cgroup v1, then for v2. A file that only the root cgroup has (or lacks) shows that this is the machine's, not the container's.
 */
static const struct {
    const char *file, *name, *of_root, *of_others;
    int64_t per_us;
} clocks[] = {
    {"/sys/fs/cgroup/cpuacct/cpuacct.usage", "", "/sys/fs/cgroup/cpuacct/release_agent", NULL, 1000},
    {"/sys/fs/cgroup/cpu.stat", "usage_usec ", NULL, "/sys/fs/cgroup/cgroup.type", 1},
};
enum { CLOCKS = sizeof clocks / sizeof *clocks };

int64_t cgroup_cpu_us(void) {
    static int opened = -1, which = -1;
    if (which < 0) {
        for (which = 0; which < CLOCKS && opened < 0; which++) {
            if (clocks[which].of_root && access(clocks[which].of_root, F_OK) == 0) continue;
            if (clocks[which].of_others && access(clocks[which].of_others, F_OK) != 0) continue;
            opened = open(clocks[which].file, O_RDONLY | O_CLOEXEC);
        }
        which--;
    }
    char text[256];
    ssize_t length = opened < 0 ? -1 : pread(opened, text, sizeof text - 1, 0);
    if (length <= 0) return -1;
    text[length] = 0;
    const char *found = strstr(text, clocks[which].name);
    return found ? atoll(found + strlen(clocks[which].name)) / clocks[which].per_us : -1;
}

uint64_t socket_bytes(void) {
    static char text[4096];
    if (read_file("/sys/fs/cgroup/memory/memory.kmem.tcp.usage_in_bytes", text, sizeof text)) return strtoull(text, NULL, 10);
    const char *found = read_file("/sys/fs/cgroup/memory.stat", text, sizeof text) ? strstr(text, "\nsock ") : NULL;
    return found ? strtoull(found + strlen("\nsock "), NULL, 10) : 0;
}

int64_t oom_kills(void) {
    /* First cgroup v1 (Linux 4.13 and later), then v2. */
    static const char *const files[] = {"/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory.events"};
    for (int i = 0; i < 2; i++) {
        char text[1024];
        if (!read_file(files[i], text, sizeof text)) continue;
        char *found = strstr(text, "oom_kill ");
        if (found) return atoll(found + strlen("oom_kill "));
    }
    return -1;
}
