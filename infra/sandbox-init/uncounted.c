#define _GNU_SOURCE
#include "uncounted.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "processes.h"
#include "usage.h"

/*
 * Most runs are over before the first look. After that we look as often as needed for what a program can pile up between two looks (some
 * 200 MiB a second and core). We look seldom where the container does nothing, and never use more than 1/25 of the time.
 */
enum { LOOK_US = 50000, IDLE_LOOK_US = 400000, IDLE_CPU_US = 1000, COST_SHARE = 25 };

/* How long the kernel has to free sockets that were closed. Mostly it takes some 20 ms; we ask after each step. */
enum { FREED_US = 500000, FREED_STEP_US = 10000 };

/* How many bytes one object of each kind is counted as. */
enum {
    /* An unsent datagram of up to 64 KiB. A single byte may hold a whole page of it. */
    UNSENT_DATAGRAM = 128 << 10,
    /* A socket that is in no table of its protocol. It may hold such a datagram too. */
    UNLISTED_SOCKET = 32 << 10,
    /* A connection that nobody has accepted. Each byte in it counts as four, since small pieces take much more memory than their bytes. */
    UNACCEPTED = 4 << 10,
    TIME_WAIT = 320,
    /* Measured in the kernel's slabs: 252 bytes each, with 262,144 connections. */
    CONNECTION = 256,
    /* A lock takes 200 bytes. But the time to list locks grows with the square of their number: 42 ms for 4096, 18 s for 85,000. */
    LOCK = 4 << 10,
    /* A terminal takes 24 KiB. But the whole machine has only 4096 of them (kernel.pty.max). */
    TERMINAL = 256 << 10,
};

/* How many bytes one line of a table adds to the sum. */
typedef uint64_t per_line(char *line);

/* The sum over all lines except the first. Stops when it is more than `enough`. 0 where there is no such table. */
static uint64_t sum_lines(const char *path, per_line *of, uint64_t enough) {
    static char text[16 * 1024];
    size_t kept = 0;
    uint64_t sum = 0;
    int number = 0, file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    for (ssize_t length; sum <= enough && (length = read(file, text + kept, sizeof text - 1 - kept)) > 0;) {
        char *line = text, *end;
        text[kept + (size_t)length] = 0;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            if (number++ > 0) sum += of(line);
        }
        kept = strlen(line);
        if (kept == sizeof text - 1) break; /* no table has such a line */
        memmove(text, line, kept);
    }
    close(file);
    return sum;
}

/* The columns are: sk Eth Pid Groups Rmem Wmem …. Counts messages that are not read yet, or not sent yet. */
static uint64_t of_netlink(char *line) {
    unsigned long long unread, unsent;
    return sscanf(line, "%*s %*s %*s %*s %llu %llu", &unread, &unsent) == 2 ? unread + unsent : 0;
}

/* Received bytes. The cgroup counts most of them, but not errors, and on v1 only where its limit could be set. */
static uint64_t udp_unread;

/* The columns are: sl local remote st tx_queue:rx_queue … */
static uint64_t of_udp(char *line) {
    unsigned long unsent, unread;
    if (sscanf(line, "%*s %*s %*s %*s %lx:%lx", &unsent, &unread) != 2) return 0;
    udp_unread += unread;
    return unsent > 0 ? UNSENT_DATAGRAM : 0;
}

/*
 * The columns are: … st tx_queue:rx_queue tr:when retrnsmt uid timeout inode. A connection that is not accepted yet belongs to nobody: its
 * inode is 0.
 */
static uint64_t of_tcp(char *line) {
    enum { ESTABLISHED = 1, CLOSE_WAIT = 8 };
    unsigned state;
    unsigned long unread, inode;
    if (sscanf(line, "%*s %*s %*s %x %*x:%lx %*s %*s %*s %*s %lu", &state, &unread, &inode) != 3) return 0;
    return inode == 0 && (state == ESTABLISHED || state == CLOSE_WAIT) ? UNACCEPTED + 4 * (uint64_t)unread : 0;
}

/* Locks of an open file description (OFDLCK) are left out, since every container sees all of them. Runs cannot have any (infra/seccomp). */
static uint64_t of_locks(char *line) { return strstr(line, " POSIX ") || strstr(line, " FLOCK ") ? LOCK : 0; }

/* The columns are: protocol size sockets …. Gives the number of sockets in the protocol's table. */
static uint64_t of_protocols(char *line) {
    long long listed;
    return sscanf(line, "%*s %*s %lld", &listed) == 1 && listed > 0 ? (uint64_t)listed : 0;
}

/* The number that follows `name` in the line that begins with `head`. 0 where there is none. */
static uint64_t number_in(const char *text, const char *head, const char *name) {
    const char *line = strstr(text, head), *end = line ? strchr(line, '\n') : NULL, *found = line ? strstr(line, name) : NULL;
    return found && (!end || found < end) ? strtoull(found + strlen(name), NULL, 10) : 0;
}

/* In bytes, as many sockets as are in no table. */
static uint64_t of_unlisted(void) {
    char four[1024];
    if (!read_file("/proc/net/sockstat", four, sizeof four)) return 0;
    uint64_t used = number_in(four, "sockets:", "used ");
    uint64_t listed = sum_lines("/proc/net/protocols", of_protocols, ~(uint64_t)0);
    return used > listed ? (used - listed) * UNLISTED_SOCKET : 0;
}

/*
 * Sockets that were just closed are among them until the kernel's next grace period (RCU): thousands, if a program opens one after another.
 * To count what is open does not help: a socket may be in the table of a thread alone, or in a message that nobody has read. But while no
 * program runs, none is closed, and what stays is held.
 */
static uint64_t of_held_unlisted(void) {
    uint64_t sum = of_unlisted();
    if (sum <= RUN_UNCOUNTED_MAX) return sum;
    pause_programs();
    for (uint64_t waited = 0; sum > RUN_UNCOUNTED_MAX && waited < FREED_US; waited += FREED_STEP_US) {
        usleep(FREED_STEP_US);
        sum = of_unlisted();
    }
    resume_programs();
    return sum;
}

static uint64_t of_sockets(uint64_t enough) {
    char four[1024], six[1024] = "";
    if (!read_file("/proc/net/sockstat", four, sizeof four)) return 0;
    read_file("/proc/net/sockstat6", six, sizeof six);
    uint64_t tcp = number_in(four, "TCP:", "inuse ") + number_in(six, "TCP6:", "inuse ");
    uint64_t udp = number_in(four, "UDP:", "inuse ") + number_in(six, "UDP6:", "inuse ");
    uint64_t used = number_in(four, "sockets:", "used "), sum = number_in(four, "TCP:", "tw ") * TIME_WAIT;
    /*
     * The tables of TCP and UDP hold the whole machine's sockets. To read them takes 4 ms and 0.3 ms. So they are read only if they can
     * show something.
     */
    uint64_t tcp_bytes = number_in(four, "TCP:", "mem ") * (uint64_t)sysconf(_SC_PAGESIZE); /* of the whole machine */
    if (tcp * UNACCEPTED > RUN_UNCOUNTED_MAX || (tcp > 1 && tcp_bytes > RUN_UNCOUNTED_MAX))
        sum += sum_lines("/proc/net/tcp", of_tcp, enough) + sum_lines("/proc/net/tcp6", of_tcp, enough);
    if (udp > 0) {
        udp_unread = 0;
        sum += sum_lines("/proc/net/udp", of_udp, enough) + sum_lines("/proc/net/udp6", of_udp, enough);
        uint64_t counted = udp_unread > 0 ? socket_bytes() : 0;
        sum += udp_unread > counted ? udp_unread - counted : 0;
    }
    return used * UNLISTED_SOCKET > RUN_UNCOUNTED_MAX ? sum + of_held_unlisted() : sum;
}

/*
 * If a sandbox has a network, the engine has firewall rules in it. Then the kernel keeps a table of its connections, with those on
 * loopback.
 */
static uint64_t of_connections(void) {
    char count[32];
    if (!read_file("/proc/sys/net/netfilter/nf_conntrack_count", count, sizeof count)) return 0;
    return strtoull(count, NULL, 10) * CONNECTION;
}

static uint64_t of_terminals(void) {
    DIR *all = opendir("/dev/pts");
    uint64_t sum = 0;
    if (!all) return 0;
    for (struct dirent *one; (one = readdir(all));)
        if (isdigit((unsigned char)one->d_name[0])) sum += TERMINAL;
    closedir(all);
    return sum;
}

uint64_t uncounted_bytes(uint64_t enough) {
    return sum_lines("/proc/net/netlink", of_netlink, enough) + of_sockets(enough) + sum_lines("/proc/locks", of_locks, enough) +
           of_terminals() + of_connections();
}

void begin_watch(struct watch *watch, uint64_t now) {
    /*
     * gVisor does not have this file, and needs no look: its kernel is a process of the container, so all that it holds is that process's
     * memory.
     */
    static int is_linux = -1;
    if (is_linux < 0) is_linux = access("/proc/net/sockstat", R_OK) == 0;
    *watch = (struct watch){.next_us = is_linux ? now + LOOK_US : ~(uint64_t)0, .pause_us = LOOK_US};
}

int holds_too_much(struct watch *watch, uint64_t now, uint64_t max) {
    if (now < watch->next_us) return 0;
    int64_t cpu_us = cgroup_cpu_us();
    int idle = cpu_us >= 0 && (uint64_t)cpu_us < watch->cpu_us + IDLE_CPU_US;
    watch->pause_us = !idle ? LOOK_US : 2 * watch->pause_us < IDLE_LOOK_US ? 2 * watch->pause_us : IDLE_LOOK_US;
    watch->next_us = now + watch->pause_us;
    if (idle) return 0;
    watch->cpu_us = (uint64_t)cpu_us;
    uint64_t held = uncounted_bytes(max), cost_us = now_us() - now;
    if (cost_us * COST_SHARE > watch->pause_us) watch->next_us = now + cost_us * COST_SHARE;
    return held > max;
}
