#define _GNU_SOURCE
#include "spent.h"

#include <sys/resource.h>

#include "cgroup.h"
#include "processes.h"
#include "usage.h"

static struct {
    int64_t group_us; /* the container's when the step began; -1: the container's is not the step's alone, or cannot be read */
    uint64_t reaped_us, before_us;
    uint64_t last_us, highest_us, lost_us;
} spent;

/* The container's CPU time without init's own. */
static int64_t group_us(void) {
    struct rusage own;
    int64_t all = is_apart() ? -1 : cgroup_cpu_us();
    if (all < 0 || getrusage(RUSAGE_SELF, &own) != 0) return -1;
    int64_t others = all - (int64_t)cpu_us_of(&own);
    return others > 0 ? others : 0;
}

void begin_spent(void) {
    spent.reaped_us = spent.before_us = spent.last_us = spent.highest_us = spent.lost_us = 0;
    spent.group_us = group_us();
}

void spent_before(uint64_t us) { spent.before_us = us; }
void add_spent(uint64_t us) { spent.reaped_us += us; }

static uint64_t less(uint64_t from, uint64_t what) { return from > what ? from - what : 0; }

uint64_t spent_us(int live) {
    int64_t group = spent.group_us < 0 ? -1 : group_us();
    if (group >= 0) {
        uint64_t all = less((uint64_t)group, (uint64_t)spent.group_us), reaped = less(spent.reaped_us, spent.before_us);
        return all > reaped ? all : reaped;
    }
    uint64_t counted = less(spent.reaped_us + (live ? live_cpu_us() : 0), spent.before_us);
    /*
     * If the parent of a process ignores SIGCHLD, the CPU time of that process is lost when it ends. The kernel adds it only to the
     * cgroup's sum, and here the cgroup is not the step's alone. So what the last look saw is kept. We take the larger of two looks,
     * since a process may end while it is looked at, and then appear in its parent's sum at the next look.
     */
    uint64_t seen = live && spent.last_us > counted ? spent.last_us : counted;
    spent.last_us = counted;
    if (seen + spent.lost_us < spent.highest_us) spent.lost_us = spent.highest_us - seen;
    if (counted + spent.lost_us > spent.highest_us) spent.highest_us = counted + spent.lost_us;
    return spent.highest_us;
}
