/* Files that are brought for somebody else: the user of an image. */
#ifndef OWNER_H
#define OWNER_H

/*
 * `user` as an image says it: a name or a number, perhaps with ":" and a group, looked up in the passwd and group files of this
 * container. Folders and files that are made from now on are theirs, wherever they lie. Where there is no such user they are
 * root's: the engine says so when it starts the service.
 */
void own_files(const char *user);
/* A file that was there before may be somebody else's. 0, or -1 with errno. */
int give_file(int file);
/* The work folder, where nobody has had it before: empty, and root's. */
void give_workdir(void);

#endif
