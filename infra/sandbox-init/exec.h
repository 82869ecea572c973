/* From an order to a running program: its streams, its process, and what happens between fork and exec. */
#ifndef EXEC_H
#define EXEC_H

#include <sys/types.h>

#include "order.h"

/* Our ends of a program's streams; -1: there is none. */
struct streams {
    int in, out, err; /* a terminal is both `in` and `out` */
    int held;         /* the program's end of its terminal */
    int tty;
};

/*
 * A child that is about to be the program; `report` is for `executed`. Ends the container when there is no process to be had:
 * nothing could be run in it any more.
 */
pid_t start_program(const struct order *order, struct streams *streams, int *report, int to_be_held);
/* What kept it from executing the program, as an errno; 0: it has. Closes `report`. */
int executed(int report);
void close_streams(struct streams *streams);
/* Becomes the program, found by the PATH of `envp`. Comes back with an errno. */
int find_and_exec(char **argv, char **envp);

#endif
