#ifndef HOLDERS_H
#define HOLDERS_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What a container's processes have written, and what they hold now. */
struct held {
    /* Descriptors in the queues of its sockets: no process has them, so it cannot be seen which files they are for. */
    uint64_t on_their_way;
    /* Bytes that they have written to disks. A process that has ended is included only if its parent waited for it. */
    uint64_t written;
};

/* `each` gets every file without a name that a process of the container holds (open or mapped), with the path that it had there. The look
   ends as soon as `enough` says so. */
struct holders_look {
    void (*each)(const struct stat *found, const char *path, int on_overlay);
    int (*enough)(void);
};

struct held look_at_holders(pid_t container, const struct holders_look *look);

#endif
