/* The messages between worker and launcher: see README.md beside this file. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>

enum { MESSAGE_MAX = 1024 * 1024 };

/* A message that was received: strings, one after another. */
struct message {
    char *at, *end;
};

/* The next string of a message. A message that has no more is broken: the worker and the launcher are of different versions. */
char *next_word(struct message *message);
/* The strings up to "." (which is left out), with NULL at the end. `list` has room for `room` of them. */
void next_list(struct message *message, char **list, size_t room);

/* Reads what there is. Returns 0 at the end of the input. */
int read_input(void);
/* The next whole message that was read; 0: none. It is valid until the next call of read_input. */
int next_message(struct message *message);

/* Sends one message of these strings, up to NULL. */
void reply(const char *first, ...) __attribute__((sentinel));

void give_up(const char *why) __attribute__((noreturn));

#endif
