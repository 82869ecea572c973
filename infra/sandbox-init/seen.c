#include "seen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* There are few files with several names or with none. If there are more than fit here, some are counted twice. */
enum { SLOTS = 1 << 17, MAX = SLOTS / 2 };

static struct {
    uint64_t device, inode;
} *slots;
static size_t taken;

int seen_before(const struct stat *found) {
    if (!slots && !(slots = calloc(SLOTS, sizeof *slots))) return 0;
    uint64_t device = (uint64_t)found->st_dev + 1, inode = (uint64_t)found->st_ino;
    size_t at = (size_t)((inode ^ device << 32) * 0x9e3779b97f4a7c15ULL >> 40) % SLOTS;
    for (; slots[at].device; at = (at + 1) % SLOTS)
        if (slots[at].device == device && slots[at].inode == inode) return 1;
    if (taken == MAX) return 0;
    slots[at].device = device;
    slots[at].inode = inode;
    taken++;
    return 0;
}

void forget_seen(void) {
    if (taken) memset(slots, 0, SLOTS * sizeof *slots);
    taken = 0;
}
