#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char input[2 * MESSAGE_MAX];
static size_t have, taken;

void give_up(const char *why) {
    fprintf(stderr, "runlet-launcher: %s\n", why);
    exit(70);
}

char *next_word(struct message *message) {
    if (message->at >= message->end) give_up("a message ended too early");
    char *word = message->at;
    message->at += strlen(word) + 1;
    return word;
}

void next_list(struct message *message, char **list, size_t room) {
    size_t count = 0;
    for (char *word; strcmp(word = next_word(message), ".") != 0;) {
        if (count + 1 >= room) give_up("a list is too long");
        list[count++] = word;
    }
    list[count] = NULL;
}

int read_input(void) {
    memmove(input, input + taken, have - taken);
    have -= taken;
    taken = 0;
    ssize_t got = read(0, input + have, sizeof input - have);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return 1;
    if (got <= 0) return 0;
    have += (size_t)got;
    return 1;
}

int next_message(struct message *message) {
    uint32_t length;
    if (have - taken < sizeof length) return 0;
    memcpy(&length, input + taken, sizeof length);
    if (length > MESSAGE_MAX) give_up("a message is too long");
    if (have - taken < sizeof length + length) return 0;
    message->at = input + taken + sizeof length;
    message->end = message->at + length;
    taken += sizeof length + length;
    if (length == 0 || message->end[-1] != 0) give_up("a message does not end with a NUL");
    return 1;
}

void reply(const char *first, ...) {
    static char text[64 * 1024];
    uint32_t length = 0;
    va_list words;
    va_start(words, first);
    for (const char *word = first; word; word = va_arg(words, const char *)) {
        size_t size = strlen(word) + 1;
        if (sizeof length + length + size > sizeof text) break;
        memcpy(text + sizeof length + length, word, size);
        length += (uint32_t)size;
    }
    va_end(words);
    memcpy(text, &length, sizeof length);
    for (size_t done = 0; done < sizeof length + length;) {
        ssize_t put = write(1, text + done, sizeof length + length - done);
        /* Nobody reads any more: the end of the input follows, and with it the removal of all that is there. */
        if (put < 0 && errno != EINTR) return;
        if (put > 0) done += (size_t)put;
    }
}
