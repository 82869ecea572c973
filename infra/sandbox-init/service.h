/* PID 1 of a service's container. README.md beside this file says what it does. */
#ifndef SERVICE_H
#define SERVICE_H

/* Runs the program until it ends. Returns the exit code for the container. */
int serve(char **argv);

#endif
