/* What happens in the child between fork and exec. */
#ifndef EXEC_H
#define EXEC_H

#include "order.h"
#include "streams.h"

/* What kept the program from being executed is written to `report`, as an int. With `traced` its parent may hold it. */
void become_program(const struct order *order, const struct program_streams *io, int report, int traced) __attribute__((noreturn));
/* Becomes the program, found by the PATH of `envp`. Comes back with an errno. */
int find_and_exec(char **argv, char **envp);

#endif
