#ifndef SEEN_H
#define SEEN_H

#include <sys/stat.h>

/* Whether a file was counted already in this look, by another of its names or holders. */
int seen_before(const struct stat *found);
void forget_seen(void);

#endif
