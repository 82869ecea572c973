/* What the container's own cgroup says about it, as far as this can be read from inside. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdint.h>

/*
 * CPU time of everything that ever ran in it, in us; -1 where it cannot be read. A call takes two microseconds, since the file stays open.
 */
int64_t cgroup_cpu_us(void);
/* Bytes of socket buffers that the memory limit counts (v2), or their own limit (v1, where one is set); 0 where it cannot be read. */
uint64_t socket_bytes(void);
/* How many processes the kernel has killed so far because of the container's memory limit; -1 where it cannot be read. */
int64_t oom_kills(void);

#endif
