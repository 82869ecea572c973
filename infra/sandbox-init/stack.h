/* How far a program's stack may grow. */
#ifndef STACK_H
#define STACK_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Sets the stack limit of a process (0: this one), up to the container's own hard limit, which stays. With 0 `bytes` nothing is
 * changed. Returns 0 or an errno: only the same user may change the limit of another process.
 */
int limit_stack(pid_t pid, uint64_t bytes);

#endif
