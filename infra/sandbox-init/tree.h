/* What of an image's folder is no file: folders with their modes, links, times. As in files.h, links are never followed. */
#ifndef TREE_H
#define TREE_H

#include <stdint.h>

void keep_folder(uint32_t mode, char *path);
/* `target` is what the link says, whatever that leads to. */
void make_symlink(char *path, const char *target);
/* Another name for a file that is there. */
void make_hard_link(char *path, char *existing);
/* Seconds since 1970. */
void set_time(uint64_t seconds, char *path);

#endif
