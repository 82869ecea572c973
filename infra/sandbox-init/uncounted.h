/* Kernel memory that a program holds, but that the container's memory limit does not count. README.md beside this file lists it. */
#ifndef UNCOUNTED_H
#define UNCOUNTED_H

#include <stdint.h>

/* The most for a run and for a service. No ordinary program comes near this. */
#define RUN_UNCOUNTED_MAX ((uint64_t)16 << 20)
#define SERVICE_UNCOUNTED_MAX ((uint64_t)64 << 20)

/*
 * An estimate, in bytes, of such memory in this process's network and PID namespaces. A table is read only until the sum is more than
 * `enough`. Takes 100 us if there is little.
 */
uint64_t uncounted_bytes(uint64_t enough);

/* When to look next. All zeros: now. */
struct watch {
    uint64_t next_us, pause_us, cpu_us;
};
/* Begins the watch at `now` (in us). The first look comes a while later. */
void begin_watch(struct watch *watch, uint64_t now);
/* Looks if it is time to. Returns whether more than `max` is held. */
int holds_too_much(struct watch *watch, uint64_t now, uint64_t max);

#endif
