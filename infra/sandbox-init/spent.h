/* The CPU time of a step: that of all its processes. */
#ifndef SPENT_H
#define SPENT_H

#include <stdint.h>

/* To be called before the step's program runs. */
void begin_spent(void);
/* CPU time that a program started ahead had used before the step. It does not count for the step. */
void spent_before(uint64_t us);
/* Adds the CPU time of a child that has been waited for. */
void add_spent(uint64_t us);
/* The CPU time so far, in us. `live`: whether processes of the step still run. */
uint64_t spent_us(int live);

#endif
