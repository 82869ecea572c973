#ifndef DISK_H
#define DISK_H

/*
 * Measures what containers have written. Runs as root on the engine's machine until its stdin ends. See README.md, "On the engine's
 * machine".
 */
int measure_disks(void);

#endif
