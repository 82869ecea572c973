/* Everything in an image's folder except files: folders with their modes, links, times. As in files.h, links are never followed. */
#ifndef TREE_H
#define TREE_H

#include <stdint.h>

void keep_folder(uint32_t mode, char *path);
/* Makes a symbolic link. `target` is its text, and may lead anywhere or nowhere. */
void make_symlink(char *path, const char *target);
/* Makes another name (a hard link) for an existing file. */
void make_hard_link(char *path, char *existing);
/* Seconds since 1970. */
void set_time(uint64_t seconds, char *path);

#endif
