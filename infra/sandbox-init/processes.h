/* Whom init ends, and whose time it counts: all others of its container, or what it has itself begun. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdint.h>

/* For an init that is not PID 1: what it begins, and all that comes of that, is told apart from everybody else's. */
void be_apart(void);
int is_apart(void);
/* In the child, before it becomes a program. */
void begin_program(void);

/* SIGKILL to every program there is. Apart, one that is being forked meanwhile may be missed: again, until none is left. */
void kill_programs(void);
/* Of what init has no child any more: where the kernel gives it no orphans, they are killed until none is left. */
void end_orphans(void);
/* Before init ends: kills them until none is left. */
void end_programs(void);
/* CPU time of every program alive, and of the children that they have waited for. */
uint64_t live_cpu_us(void);

#endif
