#ifndef HOLDERS_H
#define HOLDERS_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What a container's processes did, and do. */
struct held {
    /* Descriptors that lie in the queues of its sockets: nobody has them, so what they are of cannot be seen. */
    uint64_t on_their_way;
    /* Bytes that they have written to disks; of those that have ended, as far as somebody waited for them. */
    uint64_t written;
};

/* `each` takes a file without a name that a process of the container holds (open, or mapped), with the path that it had there; once `enough`
   says so, no more are looked for. */
struct holders_look {
    void (*each)(const struct stat *found, const char *path, int on_overlay);
    int (*enough)(void);
};

struct held look_at_holders(pid_t container, const struct holders_look *look);

#endif
