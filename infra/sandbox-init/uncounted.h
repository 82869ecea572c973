/* What of the kernel's memory a program holds that the limit of its container does not count. README.md beside this file says what. */
#ifndef UNCOUNTED_H
#define UNCOUNTED_H

#include <stdint.h>

/* How much is too much for a run, and for a service. No program that means well comes near. */
#define RUN_UNCOUNTED_MAX ((uint64_t)16 << 20)
#define SERVICE_UNCOUNTED_MAX ((uint64_t)64 << 20)

/*
 * An estimate, in bytes, of all that lies in this process's network and PID namespaces. No table is read on for more than `enough`. 100 us where
 * there is little.
 */
uint64_t uncounted_bytes(uint64_t enough);

/* When to look. Zeroed: now. */
struct watch {
    uint64_t next_us, pause_us, cpu_us;
};
/* The first look comes no sooner than so many us after this. */
void begin_watch(struct watch *watch, uint64_t now);
/* Looks if it is time to; whether more than `max` is held. */
int holds_too_much(struct watch *watch, uint64_t now, uint64_t max);

#endif
