/* What is to be executed, and how: the payload of EXEC and of HOLD. */
#ifndef ORDER_H
#define ORDER_H

#include <stddef.h>
#include <stdint.h>

enum { WITH_TTY = 1, WITH_STDIN = 2, WITH_OURS = 4, USE_HELD = 8, WITH_STACK = 16, ONE_PIPE = 32 };

struct order {
    uint32_t flags;
    uint64_t wall_us, cpu_max_us, output_max;
    uint64_t stack; /* 0: the container's own limit */
    uint16_t cols, rows;
    char **argv, **envp, **rest;
};

/*
 * Reads an order that has `rest` more strings behind the environment. The strings are not copied: the order points into the payload.
 * Ends the container when the payload makes no sense.
 */
void read_order(struct order *order, unsigned char *payload, size_t length, uint32_t rest);
void free_order(struct order *order);

#endif
