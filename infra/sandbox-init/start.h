/* From an order to a running program: its streams, its process, and the report whether it could be executed. */
#ifndef START_H
#define START_H

#include <sys/types.h>

#include "order.h"
#include "streams.h"

/*
 * Starts a child that is about to become the program; `report` is for `executed`. With `traced` it may be held (hold.h). Ends the
 * container when no process can be made: then nothing could be run in it any more.
 */
pid_t start_program(const struct order *order, struct streams *streams, int *report, int traced);
/* The errno with which the child could not execute the program, or 0 when it could. Closes `report`. */
int executed(int report);

#endif
