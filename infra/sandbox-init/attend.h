/* Looks after a child program until it ends: passes signals on to it, and reaps every other process that becomes a child. */
#ifndef ATTEND_H
#define ATTEND_H

#include <sys/types.h>

/*
 * Starts the program in a session of its own, with our streams, environment and folder. If it cannot be executed, the child says so and
 * ends.
 */
pid_t start_attended(char **argv);
/* Waits until the program has ended. Returns its exit code, or 128 plus the number of the signal that ended it. */
int attend(pid_t program);
/* Asks all other processes to end, and waits at most this long for them. */
void end_others(int max_ms);

#endif
