/* The frames between worker and init: see README.md beside this file. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

enum { VERSION = 1, HEADER = 5, FRAME_MAX = 64 * 1024, EXEC_MAX = 4 * 1024 * 1024, STDIN_AHEAD = 256 * 1024 };

/* How much of the out-buffer must be free before a piece of output is read: one frame. */
enum { PIECE = 32 * 1024 };

enum failure { IN_WORKDIR = 1, IN_FILE = 2, IN_EXEC = 3, IN_START = 4, IN_GET = 5, IN_UNLINK = 6 };

uint16_t get16(const unsigned char *at);
uint32_t get32(const unsigned char *at);
uint64_t get64(const unsigned char *at);
unsigned char *put32(unsigned char *at, uint32_t value);
unsigned char *put64(unsigned char *at, uint64_t value);

/* Queues a frame. The caller has made sure that there is room, or accepts to wait for it. */
void send_frame(char type, const void *payload, size_t length);
void send_failure(enum failure what, int number, const char *text);
int room_for_output(void);
/* How many bytes have not been written yet. */
size_t output_waits(void);
/* Writes as much as the worker takes now; with `wait`, everything. Ends the container when nobody reads any more. */
void write_output(int wait);
/* For a frame that makes no sense: tells the worker so, and ends the container. */
void broken(const char *why) __attribute__((noreturn));

#endif
