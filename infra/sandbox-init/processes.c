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

/* Far more processes than a container may have. If there are more, one look sees only this many. */
enum { PROGRAMS_MAX = 65536 };

struct program {
    pid_t pid, parent, group;
    int ours, ended, stopped;
    uint64_t ticks;
};

static int apart;
/* The value of the limit that marks init's programs where the kernel does not give init its orphans. 0: the kernel gives them. */
static rlim_t mark;
static struct program programs[PROGRAMS_MAX];
static size_t count;
/* Programs that were stopped when all were. */
static pid_t stopped_before[PROGRAMS_MAX];
static size_t stopped_count;

void be_apart(void) {
    apart = 1;
    /* A process whose parent ends becomes init's child. So everything that a step leaves behind stays below init, daemons too. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) mark = (rlim_t)now_us() << 16 | ((rlim_t)getpid() & 0xffff);
}

void begin_program(void) {
    if (!apart) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* so it ends with init, as it would with PID 1 */
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
    /* proc(5): the name in parentheses may contain anything. After it come state, parent and group. Fields 14 to 17 are utime and
       stime, and the same two for the children that the process has waited for. */
    char *after = strrchr(text, ')');
    if (!after || sscanf(after + 1, " %c %d %d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &state, &found->parent,
                         &found->group, &user, &system, &ended_user, &ended_system) != 7)
        return 0;
    found->pid = atoi(pid);
    found->ended = state == 'Z' || state == 'X';
    found->stopped = state == 'T' || state == 't';
    struct rlimit limit;
    found->ours = !apart || (mark && prlimit(found->pid, RLIMIT_RSS, NULL, &limit) == 0 && limit.rlim_max == mark);
    found->ticks = user + system + (uint64_t)ended_user + (uint64_t)ended_system;
    return 1;
}

/* A process is below init if its parent is init, or is itself below init. */
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

/* Looks at all processes. Returns 0 when /proc cannot be read. */
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

/* Kills init's own children, from the kernel's list of them. This is quick enough for a process that forks and ends over and over.
   A look at all processes is too slow for it: the process is gone when the look reaches it. */
static void kill_children(void) {
    char text[4096];
    if (!read_file("/proc/thread-self/children", text, sizeof text)) return;
    for (char *at = text, *end; *at; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at || !*end) return; /* the last number may be cut off */
        if (pid > 1) kill((pid_t)pid, SIGKILL);
    }
}

/* Kills init's programs. Returns how many were found alive. */
static size_t kill_ours(void) {
    size_t killed = 0;
    kill_children();
    if (!look()) _exit(71); /* a program has taken all descriptors away from init, so init cannot end anything any more */
    pid_t own = getpgrp();
    for (size_t i = 0; i < count; i++) {
        if (!programs[i].ours || programs[i].ended) continue;
        /* Its whole group is killed at once, so no member can fork meanwhile. A step begins in a session of its own: so any group
           other than init's belongs to the step. */
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

void pause_programs(void) {
    stopped_count = 0;
    if (!look()) return;
    for (size_t i = 0; i < count; i++)
        if (programs[i].ours && programs[i].stopped) stopped_before[stopped_count++] = programs[i].pid;
    if (!apart) {
        kill(-1, SIGSTOP);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (programs[i].ours) kill(programs[i].pid, SIGSTOP);
}

/*
 * Also those that do not look stopped: where the machine is busy, a process that was told to stop has not done it yet, and would later, with
 * nobody to wake it. SIGCONT takes the other signal back.
 */
void resume_programs(void) {
    if (!look()) {
        if (!apart) kill(-1, SIGCONT);
        return;
    }
    size_t next = 0; /* both are in the order of the pids */
    for (size_t i = 0; i < count; i++) {
        while (next < stopped_count && stopped_before[next] < programs[i].pid) next++;
        if (next < stopped_count && stopped_before[next] == programs[i].pid) continue;
        if (programs[i].ours) kill(programs[i].pid, SIGCONT);
    }
}

uint64_t live_cpu_us(void) {
    uint64_t ticks = 0;
    if (!look()) return 0;
    for (size_t i = 0; i < count; i++)
        if (programs[i].ours) ticks += programs[i].ticks;
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}
