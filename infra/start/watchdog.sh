#!/bin/sh
# Waits for the end of `npm start`, in whatever way it ends: standard input is a pipe that only that process keeps open.
# After a normal stop no child is left and there is nothing to do. After a kill -9 the kernel has sent the children SIGTERM.
# Those that are still alive after the grace time are killed, so that nothing of Runlet stays behind.
#   sh watchdog.sh REGISTER GRACE_SECONDS
set -u
register=$1
grace=$2

# Only the end of input matters here. Signals are for the main process: a Ctrl-C at the terminal must not end this one first.
trap '' INT TERM HUP
while read -r _; do :; done

# "PID START" of each child that is in the register and alive. START tells it from a later process with the same number.
left() {
  tr '{' '\n' 2>/dev/null < "$register" |
    sed -n 's/.*"pid":\([0-9]*\),"startTicks":"\([0-9]*\)".*/\1 \2/p' |
    while read -r pid start; do
      # proc(5): the start time is field 22, the 20th after the name in parentheses.
      now=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 20)
      [ "$now" = "$start" ] && echo "$pid"
    done
}

# If there is no setpriv, the children have not had a SIGTERM yet.
command -v setpriv >/dev/null 2>&1 || for pid in $(left); do kill -TERM "$pid" 2>/dev/null; done

waited=0
while [ -n "$(left)" ] && [ "$waited" -lt "$grace" ]; do
  sleep 1
  waited=$((waited + 1))
done
for pid in $(left); do kill -KILL "$pid" 2>/dev/null; done
exit 0
