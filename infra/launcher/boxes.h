/* The containers that the launcher started. */
#ifndef BOXES_H
#define BOXES_H

#include <sys/types.h>

#include "wire.h"

/* The rest of a message "run": starts a container. */
void run_box(struct message *message);
/* The rest of a message "kill" or "remove". */
void kill_box(struct message *message);
void remove_box(struct message *message);
/* The rest of a message "do": steps by themselves. */
void do_job(struct message *message);

/* A child has ended, be it one that was started here or an orphan of such a one. */
void child_ended(pid_t pid, int status);
/* Tries again what was not possible yet. Returns after how many ms that is to be done again; -1: nothing waits. */
int go_on(void);
/* Ends all containers and removes them. Returns when nothing is left, or after a few seconds. */
void remove_all(void);

#endif
