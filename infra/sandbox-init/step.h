/* Runs one program at a time, and ends what it leaves behind. */
#ifndef STEP_H
#define STEP_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

int step_runs(void);
/* Carries out EXEC, given its payload. The strings are not copied. */
void begin_step(unsigned char *payload, size_t length);
void step_stdin(const unsigned char *data, size_t length);
void step_stdin_end(void);
void step_signal(int number);
void step_resize(uint16_t cols, uint16_t rows);
void step_kill(void);

/* For how many more ms the step's output may wait, so that it is sent together. 0: it is sent at once. */
int step_gathers_ms(void);
/*
 * Fills in what to wait for (at most 3 descriptors) and how long, in ms (-1: for ever). `gather` is the time from above: stdout is not
 * read before.
 */
int step_poll(struct pollfd *fds, int *timeout, int gather);
void step_ready(const struct pollfd *fds, int count);
/* To be called when a child has ended or time has passed. Sends EXIT when everything is over. */
void step_tick(int reap);

#endif
