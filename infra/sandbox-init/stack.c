#define _GNU_SOURCE
#include "stack.h"

#include <errno.h>
#include <stddef.h>
#include <sys/resource.h>

int limit_stack(pid_t pid, uint64_t bytes) {
    struct rlimit limit;
    if (!bytes) return 0;
    if (prlimit(pid, RLIMIT_STACK, NULL, &limit) != 0) return errno;
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    return prlimit(pid, RLIMIT_STACK, &limit, NULL) != 0 ? errno : 0;
}
