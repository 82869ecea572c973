/* How far a program's stack may grow. */
#ifndef STACK_H
#define STACK_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Sets the limit of a process, 0 for this one, as far as the container's own lets it (the hard limit stays). 0 `bytes`: it
 * stays what it is. Answers 0, or an errno: of another process only its own user may.
 */
int limit_stack(pid_t pid, uint64_t bytes);

#endif
