/* What happens in the child between fork and exec. */
#ifndef EXEC_H
#define EXEC_H

#include "order.h"
#include "streams.h"

/* If the program cannot be executed, the errno is written to `report` as an int. With `traced` the parent may hold the program. */
void become_program(const struct order *order, const struct program_streams *io, int report, int traced) __attribute__((noreturn));
/* Becomes the program, found by the PATH in `envp`. Returns only on failure, with an errno. */
int find_and_exec(char **argv, char **envp);

#endif
