#define _GNU_SOURCE
#include "order.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire.h"

/* A worker sends the size of the stack only to an init that knows this flag. */
enum { FIXED = 32, STACK = 8 };

/* Makes a list of `count` strings that each end with a NUL. NULL when there are not so many. */
static char **strings(char **at, char *end, uint32_t count) {
    char **list = calloc((size_t)count + 1, sizeof *list);
    if (!list) return NULL;
    for (uint32_t i = 0; i < count; i++) {
        char *nul = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
        if (!nul) {
            free(list);
            return NULL;
        }
        list[i] = *at;
        *at = nul + 1;
    }
    return list;
}

/* The length of a variable's name, with its '='. Without a '=' it is the length of the whole string. */
static size_t name_length(const char *variable) {
    const char *equals = strchr(variable, '=');
    return equals ? (size_t)(equals - variable) + 1 : strlen(variable) + 1;
}

/* The given variables, then those of our own environment whose names are not among them. NULL when there is no memory. */
static char **with_ours(char **given, uint32_t count) {
    size_t ours = 0;
    while (environ[ours]) ours++;
    char **list = calloc(count + ours + 1, sizeof *list);
    if (!list) return NULL;
    memcpy(list, given, count * sizeof *list);
    size_t to = count;
    for (char **one = environ; *one; one++) {
        size_t length = name_length(*one);
        uint32_t at = 0;
        while (at < count && strncmp(given[at], *one, length)) at++;
        if (at == count) list[to++] = *one;
    }
    return list;
}

void read_order(struct order *order, unsigned char *payload, size_t length, uint32_t rest) {
    if (length < FIXED) broken("EXEC is too short");
    uint32_t argc = get32(payload + 24), envc = get32(payload + 28);
    size_t strings_from = FIXED;
    if (get32(payload) & WITH_STACK) strings_from += STACK;
    if (length < strings_from) broken("EXEC is too short");
    char *at = (char *)payload + strings_from, *end = (char *)payload + length;
    if (argc == 0 || argc > length || envc > length) broken("EXEC has no program, or says more strings than it has");
    *order = (struct order){
        .flags = get32(payload),
        .wall_us = (uint64_t)get32(payload + 4) * 1000,
        .cpu_max_us = (uint64_t)get32(payload + 8) * 1000,
        .output_max = get64(payload + 12),
        .stack = strings_from > FIXED ? get64(payload + FIXED) : 0,
        .cols = get16(payload + 20),
        .rows = get16(payload + 22),
    };
    order->argv = strings(&at, end, argc);
    order->envp = order->argv ? strings(&at, end, envc) : NULL;
    order->rest = order->envp ? strings(&at, end, rest) : NULL;
    if (!order->rest || at != end) broken("EXEC says other strings than it has");
    if (order->flags & WITH_OURS) {
        char **given = order->envp;
        order->envp = with_ours(given, envc);
        free(given);
        if (!order->envp) broken("no memory for the environment");
    }
}

void free_order(struct order *order) {
    free(order->argv);
    free(order->envp);
    free(order->rest);
}
