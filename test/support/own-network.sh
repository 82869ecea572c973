#!/bin/sh
# Runs a command in a network of its own, where there is nothing but loopback; its mounts are its own, too. Needs root.
#   sh own-network.sh COMMAND [ARGUMENT…]
set -eu
if [ "${1:-}" != --inside ]; then
  exec unshare --net --mount --propagation private -- sh "$0" --inside "$@"
fi
shift
# /sys shows the network of whoever mounted it. The cgroups below it are the machine's.
cgroups=$(mktemp -d)
mount --rbind /sys/fs/cgroup "$cgroups"
umount -l /sys
mount -t sysfs sysfs /sys
mount --rbind "$cgroups" /sys/fs/cgroup
umount -l "$cgroups"
rmdir "$cgroups"
ip link set lo up
exec "$@"
