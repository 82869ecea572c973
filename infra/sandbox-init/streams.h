/* The streams of a program: pipes or a terminal, our ends and its own. */
#ifndef STREAMS_H
#define STREAMS_H

#include "order.h"

/* Our ends of a program's streams; -1: there is none. */
struct streams {
    int in, out, err; /* a terminal is both `in` and `out` */
    int program_end;  /* the program's end of its terminal */
    int tty;
};

/* The program's ends, which become its stdin, stdout and stderr. */
struct program_streams {
    int in, out, err;
    /* `in` is the terminal that shall control the program. */
    int tty;
};

/* Either a terminal or pipes. -1 with errno when they cannot be had (limits on open files). */
int open_streams(const struct order *order, struct program_streams *theirs, struct streams *ours);
/* After the fork: the program has them. But not a terminal, which `streams.program_end` keeps. */
void close_program_streams(const struct program_streams *theirs);
void close_streams(struct streams *streams);

#endif
