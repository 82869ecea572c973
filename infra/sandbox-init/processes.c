#define _GNU_SOURCE
#include "processes.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "usage.h"

/* More than a container may have, by a wide margin; of more, one look sees so many. */
enum { PROGRAMS_MAX = 65536 };

struct program {
    pid_t pid, parent, group;
    int ours, ended;
    uint64_t ticks;
};

static int apart;
/* Of the limit by which init's programs are told where orphans are not given to it; 0: they are. */
static rlim_t mark;
static struct program programs[PROGRAMS_MAX];
static size_t count;

void be_apart(void) {
    apart = 1;
    /* Whose parent ends becomes init's child: so all that a step leaves behind stays below init, daemons too. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) mark = (rlim_t)now_us() << 16 | ((rlim_t)getpid() & 0xffff);
}

void begin_program(void) {
    if (!apart) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* as it would end with PID 1 */
    if (mark) setrlimit(RLIMIT_RSS, &(struct rlimit){mark, mark});
}

int is_apart(void) { return apart; }

static int by_pid(const void *one, const void *other) {
    pid_t a = ((const struct program *)one)->pid, b = ((const struct program *)other)->pid;
    return (a > b) - (a < b);
}

static int read_program(const char *pid, struct program *found) {
    char path[300], text[1024], state;
    unsigned long user, system;
    long ended_user, ended_system;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    if (!read_file(path, text, sizeof text)) return 0;
    /* proc(5): the name in parentheses may hold anything; then come state, parent and group; utime, stime, and those two
       of the children that it has waited for, are fields 14 to 17. */
    char *after = strrchr(text, ')');
    if (!after || sscanf(after + 1, " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &state, &found->parent,
                         &found->group, &user, &system, &ended_user, &ended_system) != 7)
        return 0;
    found->pid = atoi(pid);
    found->ended = state == 'Z' || state == 'X';
    struct rlimit limit;
    found->ours = !apart || (mark && prlimit(found->pid, RLIMIT_RSS, NULL, &limit) == 0 && limit.rlim_max == mark);
    found->ticks = user + system + (uint64_t)ended_user + (uint64_t)ended_system;
    return 1;
}

/* Below init is whose parent is init, or below it. */
static void mark_ours(void) {
    pid_t self = getpid();
    for (int more = 1; more;) {
        more = 0;
        for (size_t i = 0; i < count; i++) {
            struct program *one = programs + i;
            if (one->ours) continue;
            struct program key = {.pid = one->parent};
            struct program *parent = bsearch(&key, programs, count, sizeof *programs, by_pid);
            one->ours = one->parent == self || (parent && parent->ours);
            more |= one->ours;
        }
    }
}

/* 0: nothing can be seen. */
static int look(void) {
    DIR *all = opendir("/proc");
    if (!all) return 0;
    pid_t self = getpid();
    count = 0;
    for (struct dirent *one; count < PROGRAMS_MAX && (one = readdir(all));)
        if (isdigit((unsigned char)one->d_name[0]) && atoi(one->d_name) != self)
            count += (size_t)read_program(one->d_name, programs + count);
    closedir(all);
    qsort(programs, count, sizeof *programs, by_pid);
    if (apart) mark_ours();
    return count > 0 || !apart;
}

/* Those whose parent is init itself, as the kernel lists them: quick enough for one that forks and ends, over and over,
   which is gone when a look at all has come to it. */
static void kill_children(void) {
    char text[4096];
    if (!read_file("/proc/thread-self/children", text, sizeof text)) return;
    for (char *at = text, *end; *at; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at || !*end) return; /* the last one may be cut */
        if (pid > 1) kill((pid_t)pid, SIGKILL);
    }
}

/* How many there were to be killed. */
static size_t kill_ours(void) {
    size_t killed = 0;
    kill_children();
    if (!look()) _exit(71); /* a program has taken init's descriptors from it: nothing can be ended here any more */
    pid_t own = getpgrp();
    for (size_t i = 0; i < count; i++) {
        if (!programs[i].ours || programs[i].ended) continue;
        /* All of its group at once, which cannot fork meanwhile. A step begins in a session of its own: so groups other
           than init's are nobody else's. */
        if (programs[i].group > 1 && programs[i].group != own) kill(-programs[i].group, SIGKILL);
        kill(programs[i].pid, SIGKILL);
        killed++;
    }
    return killed;
}

void kill_programs(void) {
    if (apart) kill_ours();
    else kill(-1, SIGKILL);
}

void end_orphans(void) {
    while (mark && kill_ours() > 0) usleep(1000);
}

void end_programs(void) {
    for (pid_t pid;;) {
        kill_programs();
        if (!apart) return; /* the kernel ends them with init */
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {}
        if (pid < 0 && errno == ECHILD) return end_orphans();
        waitpid(-1, NULL, 0);
    }
}

uint64_t live_cpu_us(void) {
    uint64_t ticks = 0;
    if (!look()) return 0;
    for (size_t i = 0; i < count; i++)
        if (programs[i].ours) ticks += programs[i].ticks;
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}
