/* What a step has used so far. */
#ifndef USAGE_H
#define USAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

uint64_t now_us(void);
uint64_t cpu_us_of(const struct rusage *usage);
/* The CPU time of one process that has not ended. */
uint64_t cpu_us_until_now(pid_t pid);
/* Reads the beginning of a kernel file as a string. Returns 0 when there is no such file. */
int read_file(const char *path, char *into, size_t max);

#endif
