/* A runtime that is loaded already and waits: see "A runtime that waits" in README.md. */
#ifndef WAITING_H
#define WAITING_H

#include <sys/types.h>

/* Reads what is loaded in front of a runtime's libraries, while the machine's files are all there. Without it runtimes are executed. */
void read_preload(const char *path);

/*
 * Starts a copy of the runtime that waits, with these streams, in these cgroups of version 1, or in the one of version 2 whose folder is open
 * as `cgroup` (or -1). -1: this runtime cannot wait, and must be executed.
 */
pid_t start_waiting(int program, char **argv, char **cgroups, int stream, int complaints, int cgroup);

#endif
