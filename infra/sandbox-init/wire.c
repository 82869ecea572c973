#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "processes.h"

/* This buffer is bounded. While it is full the program's pipes are not read, and the program waits. */
static unsigned char out[512 * 1024];
static size_t out_from, out_to;

uint16_t get16(const unsigned char *at) { return (uint16_t)(at[0] | at[1] << 8); }
uint32_t get32(const unsigned char *at) { return get16(at) | (uint32_t)get16(at + 2) << 16; }
uint64_t get64(const unsigned char *at) { return get32(at) | (uint64_t)get32(at + 4) << 32; }

unsigned char *put32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) *at++ = (unsigned char)(value >> (8 * i));
    return at;
}

unsigned char *put64(unsigned char *at, uint64_t value) {
    return put32(put32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

static void finish(int code) __attribute__((noreturn));
static void finish(int code) {
    end_programs();
    _exit(code);
}

void write_output(int wait) {
    while (out_from < out_to) {
        ssize_t done = write(1, out + out_from, out_to - out_from);
        if (done > 0) {
            out_from += (size_t)done;
        } else if (errno == EAGAIN) {
            if (!wait) return;
            /* Here only the end of stdin matters: it means that the worker is gone, and that nobody will read our output. */
            struct pollfd both[2] = {{.fd = 1, .events = POLLOUT}, {.fd = 0}};
            poll(both, 2, -1);
            if (both[1].revents) finish(0);
        } else if (errno != EINTR) {
            finish(0);
        }
    }
    out_from = out_to = 0;
}

static void make_room(size_t needed) {
    if (sizeof out - out_to >= needed) return;
    memmove(out, out + out_from, out_to - out_from);
    out_to -= out_from;
    out_from = 0;
    if (sizeof out - out_to < needed) write_output(1);
}

void send_frame(char type, const void *payload, size_t length) {
    make_room(HEADER + length);
    out[out_to] = (unsigned char)type;
    put32(out + out_to + 1, (uint32_t)length);
    if (length > 0) memcpy(out + out_to + HEADER, payload, length);
    out_to += HEADER + length;
}

void send_failure(enum failure what, int number, const char *text) {
    unsigned char payload[1024];
    size_t length = strnlen(text, sizeof payload - 5);
    payload[0] = (unsigned char)what;
    put32(payload + 1, (uint32_t)number);
    memcpy(payload + 5, text, length);
    send_frame('n', payload, 5 + length);
}

/* Room for a piece of stdout, a piece of stderr, and the frames that end a step. */
int room_for_output(void) { return sizeof out - (out_to - out_from) >= 4 * (HEADER + PIECE); }
size_t output_waits(void) { return out_to - out_from; }

void broken(const char *why) {
    end_programs(); /* this comes first: no limit is checked while we wait for the worker */
    send_frame('b', why, strlen(why));
    write_output(1);
    finish(70);
}
