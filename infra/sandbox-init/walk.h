#ifndef WALK_H
#define WALK_H

#include <sys/stat.h>

/* How a look goes on: `count` takes one file or folder; once `enough` says so, the walk ends. */
struct look {
    void (*count)(const struct stat *found);
    int (*enough)(void);
};

/* All that lies at `path`, itself included: no link is followed, no other file system entered. 0: something was left out. */
int walk(const char *path, const struct look *look);

#endif
