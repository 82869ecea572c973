#define _GNU_SOURCE
#include "owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FILE_MAX = 4 * 1024 * 1024 };

/* The structures of capset(2), version 3. They are written here because musl comes without the kernel's headers. */
struct capabilities_of {
    uint32_t version;
    int pid;
};
struct capabilities {
    uint32_t effective, permitted, inheritable;
};

static uid_t uid;
static gid_t gid;
static int given;

static int is_number(const char *text) {
    if (!*text || strlen(text) > 10) return 0;
    for (; *text; text++)
        if (!isdigit((unsigned char)*text)) return 0;
    return 1;
}

/*
 * Finds the line of a passwd or group file whose first field is `name`, or whose third field is the same number. Gives its third and
 * fourth field. It is written here because the look-up in a static C library needs the image's shared C library.
 */
static int look_up(const char *file, const char *name, unsigned *third, unsigned *fourth) {
    /* An image may have anything at this path. */
    struct stat about;
    int opened = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (opened < 0) return 0;
    FILE *lines = fstat(opened, &about) == 0 && S_ISREG(about.st_mode) && about.st_size <= FILE_MAX ? fdopen(opened, "r") : NULL;
    if (!lines) {
        close(opened);
        return 0;
    }
    char *line = NULL;
    size_t size = 0;
    int found = 0;
    while (!found && getline(&line, &size, lines) >= 0) {
        char *rest = line, *field[4] = {"", "", "", ""};
        for (int i = 0; i < 4 && rest; i++) field[i] = strsep(&rest, ":\n");
        found = !strcmp(field[0], name) || (is_number(name) && is_number(field[2]) && strtoul(name, NULL, 10) == strtoul(field[2], NULL, 10));
        *third = (unsigned)strtoul(field[2], NULL, 10);
        *fourth = (unsigned)strtoul(field[3], NULL, 10);
    }
    free(line);
    fclose(lines);
    return found;
}

void own_files(const char *user) {
    char name[256];
    unsigned number, own_group = 0, ignored;
    snprintf(name, sizeof name, "%s", user);
    char *group = strchr(name, ':');
    if (group) *group++ = 0;
    const char *who = *name ? name : "0";
    if (!look_up("/etc/passwd", who, &number, &own_group)) {
        if (!is_number(who)) return;
        number = (unsigned)strtoul(who, NULL, 10);
        own_group = 0; /* as Docker does */
    }
    uid = number;
    gid = own_group;
    if (group && *group) {
        if (look_up("/etc/group", group, &number, &ignored)) gid = number;
        else if (is_number(group)) gid = (gid_t)strtoul(group, NULL, 10);
        else return;
    }
    given = 1;
    setgroups(0, NULL);
    setfsgid(gid);
    setfsuid(uid);
    /* gVisor does not support setfsuid. The call's result does not tell this, so we ask a second time for the current value. */
    if ((uid_t)setfsuid((uid_t)-1) != uid) _exit(71);
    /*
     * setfsuid removes the file capabilities (write into any folder, for example) from the effective set. So they are made effective
     * again.
     */
    struct capabilities_of of = {.version = 0x20080522};
    struct capabilities these[2];
    if (syscall(SYS_capget, &of, these) != 0) _exit(71);
    for (int i = 0; i < 2; i++) these[i].effective = these[i].permitted;
    if (syscall(SYS_capset, &of, these) != 0) _exit(71);
}

int give_file(int file) { return given ? fchown(file, uid, gid) : 0; }

static int is_empty(void) {
    DIR *entries = opendir(".");
    if (!entries) return 0;
    int empty = 1;
    for (struct dirent *one; empty && (one = readdir(entries));)
        empty = !strcmp(one->d_name, ".") || !strcmp(one->d_name, "..");
    closedir(entries);
    return empty;
}

void give_workdir(void) {
    struct stat found;
    if (!given || stat(".", &found) != 0 || found.st_uid != 0 || !is_empty()) return;
    if (chown(".", uid, gid) != 0) { /* then its owner stays the same */ }
}
