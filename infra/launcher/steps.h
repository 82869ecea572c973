/* What is done to files, mounts and cgroups before a runtime is started, and after its container has ended. */
#ifndef STEPS_H
#define STEPS_H

#include <sys/types.h>

#include "wire.h"

enum outcome {
    STEP_DONE,
    /* Not possible yet. The same step is to be tried again a little later. */
    STEP_AGAIN,
    /* A child does it. The step is done when that child has ended. */
    STEP_BEGUN,
    STEP_FAILED,
};

/* Why the last step failed. */
struct step_failure {
    const char *verb, *path;
    int number;
};
extern struct step_failure step_failure;

/* Does the next step of the message. `child` is set where one was begun. */
enum outcome do_step(struct message *steps, pid_t *child);
/* Skips the steps up to and including ".". Returns where they begin. */
struct message take_steps(struct message *message);
int steps_left(const struct message *steps);
/* Does all of them. None of them may need a child, or another try. Returns whether all are done. */
int do_all(struct message steps);

#endif
