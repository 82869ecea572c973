/* From an order to a running program: its streams, its process, and the word of how its execution went. */
#ifndef START_H
#define START_H

#include <sys/types.h>

#include "order.h"
#include "streams.h"

/*
 * A child that is about to be the program; `report` is for `executed`. With `traced` it may be held (hold.h). Ends the container when
 * there is no process to be had: nothing could be run in it any more.
 */
pid_t start_program(const struct order *order, struct streams *streams, int *report, int traced);
/* What kept it from executing the program, as an errno; 0: it has. Closes `report`. */
int executed(int report);

#endif
