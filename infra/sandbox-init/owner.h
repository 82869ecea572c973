/* Files that init writes for another user: the user of an image. */
#ifndef OWNER_H
#define OWNER_H

/*
 * `user` is written as in an image's config: a name or a number, with or without ":" and a group. It is looked up in the passwd and
 * group files of this container. Folders and files that are made from now on belong to that user, in any folder. If there is no such
 * user they belong to root: the engine reports the missing user when it starts the service.
 */
void own_files(const char *user);
/* Gives the user an open file: one that existed before may belong to somebody else. Returns 0, or -1 with errno. */
int give_file(int file);
/* Gives the user the work folder if nobody has used it before: it must be empty and belong to root. */
void give_workdir(void);

#endif
