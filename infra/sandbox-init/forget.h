/* `init forget 10.213.4.8/29`: the worker runs this on its own machine, not in a container. */
#ifndef FORGET_H
#define FORGET_H

/* Removes from the machine's table every connection that an address of the subnet began. Returns an exit code. */
int forget(const char *cidr);

#endif
