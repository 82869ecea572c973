/* PID 1 of a service's container: README.md beside this file says what it does. */
#ifndef SERVICE_H
#define SERVICE_H

/* Runs the program, and is over when it is. The exit code of the container. */
int serve(char **argv);

#endif
