#ifndef SEEN_H
#define SEEN_H

#include <sys/stat.h>

/* Whether this look has already counted the file, by another of its names or holders. */
int seen_before(const struct stat *found);
void forget_seen(void);

#endif
