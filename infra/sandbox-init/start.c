#define _GNU_SOURCE
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "exec.h"
#include "user.h"
#include "wire.h"

pid_t start_program(const struct order *order, struct streams *streams, int *report, int traced) {
    struct program_streams theirs;
    int says[2];
    pid_t pid = -1;
    if (open_streams(order, &theirs, streams) == 0 && pipe2(says, O_CLOEXEC) == 0) {
        act_as_init();
        pid = fork();
        if (pid == 0) become_program(order, &theirs, says[1], traced);
    }
    if (pid < 0) {
        send_failure(IN_START, errno, "no process for it");
        write_output(1);
        _exit(71); /* the process ends, so nothing needs to be closed */
    }
    close(says[1]);
    close_program_streams(&theirs);
    *report = says[0];
    return pid;
}

int executed(int report) {
    int number = 0;
    ssize_t length;
    do length = read(report, &number, sizeof number);
    while (length < 0 && errno == EINTR);
    close(report);
    return length == (ssize_t)sizeof number ? number : 0;
}
