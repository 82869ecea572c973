/* A program that is started before its step. It is stopped before it looks at files that are not there yet. */
#ifndef HOLD_H
#define HOLD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "streams.h"

/* Carries out HOLD, given its payload, and answers it. Only for a PID 1, while no step runs. */
void hold_program(unsigned char *payload, size_t length);
/*
 * Lets the held program go on, with this limit of its stack. Gives its pid, its streams, and the CPU time that it has used so far.
 * Returns 0 if no program is held any more, or if it cannot have so large a stack.
 */
pid_t take_held(uint64_t stack, struct streams *streams, uint64_t *cpu_us);
/* Ends the held program, and everything that it may have started. */
void drop_held(void);
/* To be called when a child has ended that belongs to no step. */
void held_may_have_ended(pid_t pid);

#endif
