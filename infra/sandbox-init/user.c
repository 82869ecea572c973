#define _GNU_SOURCE
#include "user.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static uid_t uid; /* 0: init and its programs have the same user */
static gid_t gid;

static void must(int done) {
    if (done != 0) _exit(71);
}

void set_program_user(const char *text) {
    unsigned user, group;
    char more;
    if (sscanf(text, "%u:%u%c", &user, &group, &more) != 2 || user == 0 || group == 0) _exit(64);
    uid = user;
    gid = group;
    must(setgroups(1, &gid));
    act_as_program();
}

void act_as_program(void) {
    if (!uid) return;
    must(setegid(gid));
    must(seteuid(uid));
}

void act_as_init(void) {
    if (!uid) return;
    must(seteuid(0));
    must(setegid(0));
    /* A change of user resets the dumpable flag to the system's setting (fs.suid_dumpable), so it is set again. */
    prctl(PR_SET_DUMPABLE, 0);
}

int become_program_user(void) {
    if (!uid) return 0;
    for (unsigned long one = 0; prctl(PR_CAPBSET_DROP, one, 0, 0, 0) == 0; one++) {}
    if (errno != EINVAL) return errno;
    return setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0 ? errno : 0;
}
