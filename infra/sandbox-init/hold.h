/* A program that is started before its step, and kept from looking at what is not there yet. */
#ifndef HOLD_H
#define HOLD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "exec.h"

/* The payload of HOLD; answers it. For a PID 1, while no step runs. */
void hold_program(unsigned char *payload, size_t length);
/* Lets the one go on that is held; its streams, and the CPU time that it had used. 0: there is none any more. */
pid_t take_held(struct streams *streams, uint64_t *cpu_us);
/* It never was, and what it may have started neither. */
void drop_held(void);
/* A child has ended that no step knows of. */
void held_may_have_ended(pid_t pid);

/* In the child, before it executes the program: its parent may hold it. 0, or an errno. */
int ask_to_be_held(void);

#endif
