/* What the container's own cgroup says of it, as far as it can be seen from inside. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdint.h>

/* CPU time of all that ever ran in it, in us; -1 where it cannot be read. Two microseconds: the file is kept open. */
int64_t cgroup_cpu_us(void);
/* Of sockets' buffers, what its memory's limits count (v2), or their own (v1, where one is written); 0 where it cannot be read. */
uint64_t socket_bytes(void);
/* Processes that the kernel has killed so far for the container's memory limit; -1 where it cannot be read. */
int64_t oom_kills(void);

#endif
