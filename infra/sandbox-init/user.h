/* Init and its programs as two users, where the kernel does not protect init from its own user. README.md beside this file says when. */
#ifndef USER_H
#define USER_H

/* Sets "uid:gid" of the programs. If it is never called, programs have init's own user. Ends init when the text has another form. */
void set_program_user(const char *text);
/*
 * From now on init acts as the programs' user: for files, and a program's pipes and terminal. Only while no program runs, since one could
 * reach init.
 */
void act_as_program(void);
/* From now on init acts as itself: from before a program runs until all of it has ended. */
void act_as_init(void);
/* To be called in the child: becomes the programs' user for ever, without any capability. Returns 0 or an errno. */
int become_program_user(void);

#endif
