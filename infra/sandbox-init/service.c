#define _GNU_SOURCE
#include "service.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attend.h"

/* When the program has ended, the processes that it leaves behind are asked to end too, before the kernel kills them with PID 1. */
enum { REST_MAX_MS = 2000 };

int serve(char **argv) {
    if (argv[0] && !strcmp(argv[0], "--")) argv++;
    /* At the end kill(-1) asks every process to end, so this must be a PID 1. */
    if (!argv[0] || getpid() != 1) return 64;
    /* The program must not get descriptors that the runtime forgot to close (CVE-2024-21626). */
#ifdef SYS_close_range
    syscall(SYS_close_range, 3, ~0U, 0);
#endif
    int code = attend(start_attended(argv));
    end_others(REST_MAX_MS);
    return code;
}
