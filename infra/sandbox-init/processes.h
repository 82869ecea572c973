/* Which processes init ends and whose CPU time it counts: all others of its container, or only those that it has started itself. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include <stdint.h>

/* For an init that is not PID 1: from now on its own programs, and all their descendants, can be told from other processes. */
void be_apart(void);
int is_apart(void);
/* To be called in the child, before it becomes a program. */
void begin_program(void);

/*
 * Sends SIGKILL to every program. If init is not PID 1, this may miss a program that is just being forked: call it again until none is
 * left.
 */
void kill_programs(void);
/* To be called when init has no child left: where the kernel does not give init its orphans, kills them until none is left. */
void end_orphans(void);
/* To be called before init ends: kills all programs until none is left. */
void end_programs(void);
/* Stops every program, until `resume_programs` lets those go on that were not stopped before. */
void pause_programs(void);
void resume_programs(void);
/* CPU time of all living programs, and of the children that they have waited for. */
uint64_t live_cpu_us(void);

#endif
