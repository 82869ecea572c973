/* A program that is started before its step, and kept from looking at what is not there yet. */
#ifndef HOLD_H
#define HOLD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "streams.h"

/* The payload of HOLD; answers it. For a PID 1, while no step runs. */
void hold_program(unsigned char *payload, size_t length);
/*
 * Lets the one go on that is held, with this limit of its stack; its streams, and the CPU time that it had used. 0: there is none
 * any more, or none that can have so large a stack.
 */
pid_t take_held(uint64_t stack, struct streams *streams, uint64_t *cpu_us);
/* It never was, and what it may have started neither. */
void drop_held(void);
/* A child has ended that no step knows of. */
void held_may_have_ended(pid_t pid);

#endif
