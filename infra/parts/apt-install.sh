#!/bin/sh
# Installs Debian packages as root, without starting their services: sh apt-install.sh PACKAGE…
# Debian starts a service as soon as its package is there. Runlet runs its own dockerd, Redis and registry as children of
# its main process, so invoke-rc.d is told not to start any, unless the machine has a policy of its own.
set -eu
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
units=/lib/systemd/system

known_units() {
  ls "$units" 2>/dev/null | grep -E '^(docker|containerd|redis|valkey)[^@]*\.(service|socket)$' || true
}

if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\n# Written by Runlet for the time of one install.\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi
before=$(known_units)

# Another apt may be running, for example the nightly upgrade. Wait for it instead of failing.
install() {
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=180 "$@"
}
# There are no package lists yet (a bare machine), or they are older than the mirror's files. Refresh them, and try once more.
install "$@" || { apt-get update -q; install "$@"; }

# They must not start at the next boot either: nobody asked for these services. Only units from this install are changed.
if [ -d /run/systemd/system ]; then
  for unit in $(known_units); do
    case " $(echo $before) " in
      *" $unit "*) ;;
      *) systemctl disable --now --quiet "$unit" || true ;;
    esac
  done
fi
