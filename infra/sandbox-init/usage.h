/* What a step has used so far. */
#ifndef USAGE_H
#define USAGE_H

#include <stdint.h>
#include <sys/resource.h>

uint64_t now_us(void);
uint64_t cpu_us_of(const struct rusage *usage);
/* CPU time of every process alive but this one, and of the children that they have waited for, from /proc. */
uint64_t live_cpu_us(void);
/* Processes that the kernel has killed so far for the container's memory limit; -1 where it cannot be read. */
int64_t oom_kills(void);

#endif
