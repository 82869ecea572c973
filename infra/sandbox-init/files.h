/* Files in and out of the work folder, which is the init's own working directory. Links are never followed. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>
#include <stdint.h>

/* In the mode of a FILE: what is there by its name, and is no folder, goes first. */
enum { FILE_REPLACES = 1 << 16 };

/* The folder that `path` lies in, made where `make` says so, -1 with errno; `*name` is what follows its last slash. */
int open_parent(char *path, int make, char **name);

void enter_workdir(char *path);
void begin_file(uint32_t mode, uint64_t size, char *path);
void file_data(const unsigned char *data, size_t length);
/* Bytes of the file under way that are still to come. */
uint64_t file_left(void);
void list_files(uint32_t max);
void send_content(char *path);
/* A file or a link; never a folder. */
void remove_file(char *path);

#endif
