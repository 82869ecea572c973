/* A program that is a child, seen to its end: signals are handed on to it, and whatever else becomes a child is reaped. */
#ifndef ATTEND_H
#define ATTEND_H

#include <sys/types.h>

/* Starts it in a session of its own, with our streams, environment and folder. What cannot be executed says so, and ends. */
pid_t start_attended(char **argv);
/* Until it has ended: its exit code, or 128 and the number of the signal that ended it. */
int attend(pid_t program);
/* Asks all others to end, and gives them so long. */
void end_others(int max_ms);

#endif
