/* Two users instead of one, where the kernel does not guard init from its own: README.md beside this file says when. */
#ifndef USER_H
#define USER_H

/* "uid:gid" of the programs; never called: they are init's own. Ends the init when it is anything else. */
void set_program_user(const char *text);
/* Init's files, and a program's pipes and terminal, are its user's. Only while no program runs: it could reach init. */
void act_as_program(void);
/* Before a program runs, and until all of it has ended. */
void act_as_init(void);
/* In the child, for good, with every capability gone. 0, or why not. */
int become_program_user(void);

#endif
