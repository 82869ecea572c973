#define _GNU_SOURCE
#include "service.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attend.h"

/* What the program leaves behind when it ends is asked to end as well, before the kernel kills it with PID 1. */
enum { REST_MAX_MS = 2000 };

int serve(char **argv) {
    if (argv[0] && !strcmp(argv[0], "--")) argv++;
    /* It asks everybody to end by kill(-1). */
    if (!argv[0] || getpid() != 1) return 64;
    /* What the runtime forgot to close is no program's (CVE-2024-21626). */
#ifdef SYS_close_range
    syscall(SYS_close_range, 3, ~0U, 0);
#endif
    int code = attend(start_attended(argv));
    end_others(REST_MAX_MS);
    return code;
}
