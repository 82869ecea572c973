/* One program at a time, and all that it leaves behind. */
#ifndef STEP_H
#define STEP_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

int step_runs(void);
/* The payload of EXEC; its strings are used where they stand. */
void begin_step(unsigned char *payload, size_t length);
void step_stdin(const unsigned char *data, size_t length);
void step_stdin_end(void);
void step_signal(int number);
void step_resize(uint16_t cols, uint16_t rows);
void step_kill(void);

/* For how many ms more what the step says may wait for the rest; 0: it goes at once. */
int step_gathers_ms(void);
/* Fills in what to wait for (at most 3) and until when, in ms; -1: for ever. `gather`: as above, and not read until then. */
int step_poll(struct pollfd *fds, int *timeout, int gather);
void step_ready(const struct pollfd *fds, int count);
/* A child has ended, or time has passed. Sends EXIT when all is over. */
void step_tick(int reap);

#endif
