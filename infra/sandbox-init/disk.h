#ifndef DISK_H
#define DISK_H

/* Measures what containers have written, on the engine's machine and as its root; never returns. README.md: On the engine's machine. */
int measure_disks(void);

#endif
