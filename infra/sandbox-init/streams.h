/* The streams of a program, pipes or a terminal: our ends and the program's. */
#ifndef STREAMS_H
#define STREAMS_H

#include "order.h"

/* Our ends of a program's streams. -1: this stream is not open. */
struct streams {
    int in, out, err; /* a terminal is both `in` and `out` */
    int program_end;  /* the program's end of its terminal */
    int tty;
};

/* The program's ends, which become its stdin, stdout and stderr. */
struct program_streams {
    int in, out, err;
    /* `in` is a terminal, and becomes the program's controlling terminal. */
    int tty;
};

/* Opens a terminal or pipes. -1 with errno when that fails (limits on open files). */
int open_streams(const struct order *order, struct program_streams *theirs, struct streams *ours);
/* Closes our copies of the program's ends after the fork. The end of a terminal stays open, as `streams.program_end`. */
void close_program_streams(const struct program_streams *theirs);
void close_streams(struct streams *streams);

#endif
