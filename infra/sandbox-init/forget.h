/* `init forget 10.213.4.8/29`: not in a container, but for the worker on its machine. */
#ifndef FORGET_H
#define FORGET_H

/* Takes every connection that an address of the subnet began out of the machine's table. Returns an exit code. */
int forget(const char *cidr);

#endif
