/* A view of the machine's files that has few mounts. */
#ifndef PLACES_H
#define PLACES_H

/*
 * Gives this process a mount namespace of its own, whose root is the machine's, with the kernel's file systems, the machine's cgroups, and
 * the folders `kept`, and nothing else. `at`: an empty folder. Each container begins with a copy of these mounts: the fewer, the sooner.
 * And what is mounted here is gone with the last process that is in it, whatever ends the launcher.
 */
void take_places(const char *at, char **kept);

#endif
