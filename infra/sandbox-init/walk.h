#ifndef WALK_H
#define WALK_H

#include <sys/stat.h>

/* How a walk is done: `count` gets each file or folder, and the walk ends as soon as `enough` says so. */
struct look {
    void (*count)(const struct stat *found);
    int (*enough)(void);
};

/*
 * Walks over all that lies at `path`, with `path` itself. Follows no link and enters no other file system. Returns 0 when something was
 * left out.
 */
int walk(const char *path, const struct look *look);

#endif
