/* What happens between fork and exec, and the terminals of programs that want one. */
#ifndef EXEC_H
#define EXEC_H

struct stdio {
    int in, out, err;
    /* `in` is the terminal that shall control the program. */
    int tty;
};

struct terminal {
    int master, slave;
};

/* In the child: never returns. What kept the program from being executed is written to `report`, as an int. */
void become(char **argv, char **envp, const struct stdio *io, int report) __attribute__((noreturn));
/* -1 with errno when there is none to be had. */
int open_terminal(struct terminal *terminal);

#endif
