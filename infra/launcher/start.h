/* Starts a runtime in the cgroups of its container. */
#ifndef START_H
#define START_H

#include <sys/types.h>

struct start {
    /* The worker's socket, and what is said to it first. The connection is the container's stdin and stdout. */
    const char *socket, *hello;
    /* A file that becomes its stderr. */
    const char *complaints;
    /* Each "v1 FILE": a `tasks` of cgroup v1; or "v2 FOLDER": a cgroup of v2. */
    char **cgroups;
    char **argv;
    /* "waiting", "anew" or "file" (README.md). */
    const char *how;
};

/* The runtime's pid; -1, with errno, where it cannot be started. */
pid_t start_runtime(const struct start *start);

#endif
