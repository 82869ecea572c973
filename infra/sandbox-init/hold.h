/* A program that is started before its step, and kept from looking at what is not there yet. */
#ifndef HOLD_H
#define HOLD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "exec.h"

/*
 * The kernel leaves so much room for a stack to grow as its limit is when the program is executed, and no more later (mmap_base in
 * its arch/x86/mm/mmap.c and its kin). For what is held that is before anybody knows how large its stack may be: so there is
 * room for any that a node could have the memory for, which is a matter of addresses alone.
 */
#define HELD_STACK_MOST ((uint64_t)1 << 36)

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

/* In the child, before it executes the program: its parent may hold it. 0, or an errno. */
int ask_to_be_held(void);

#endif
