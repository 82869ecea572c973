/* Brings files into the work folder and out of it. It is the init's own working directory. Links are never followed. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>
#include <stdint.h>

/* A flag in the mode of a FILE: whatever has this name already is removed first, unless it is a folder. */
enum { FILE_REPLACES = 1 << 16 };

/*
 * Opens the folder that contains `path`; with `make`, missing folders are made. -1 with errno on failure. `*name` is what follows the last
 * slash.
 */
int open_parent(char *path, int make, char **name);

void enter_workdir(char *path);
void begin_file(uint32_t mode, uint64_t size, char *path);
void file_data(const unsigned char *data, size_t length);
/* How many bytes of the current file are still to come. */
uint64_t file_left(void);
void list_files(uint32_t max);
void send_content(char *path);
/* Removes a file or a link, never a folder. */
void remove_file(char *path);

#endif
