# Called by mmdebstrap, in this order:
#   sh packages-hook.sh before ROOT LAYER…     unpacks the layers below into ROOT
#   sh packages-hook.sh install ROOT PACKAGE…  installs packages there
#   sh packages-hook.sh after ROOT             removes all that was there before, so that a layer is left
set -eu
phase=$1 root=$2
shift 2
stamp=$root/.runlet-stamp

case $phase in
  before)
    for layer in "$@"; do tar -xpf "$layer" -C "$root" --numeric-owner; done
    # Left out with the manual pages, and some packages fail without it (update-alternatives makes links there).
    mkdir -p "$root"/usr/share/man/man1
    # A file's change time says whether it came with a layer or with a package; the clock may tick slower than tar writes.
    sleep 0.02
    touch "$stamp"
    sleep 0.02
    ;;
  install)
    # As mmdebstrap itself does. apt runs on this machine, and dpkg in ROOT. What they say is for stderr.
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG DEBIAN_FRONTEND=noninteractive apt-get --yes -qq -o Dpkg::Use-Pty=false \
      -o "DPkg::Chroot-Directory=$root" install "$@" >&2
    ;;
  after)
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/ldconfig "$root"/var/log/* \
      "$root"/etc/hostname "$root"/etc/resolv.conf
    # mmdebstrap takes its own settings away by itself, and reaches them through the links at the top (sbin, …), which
    # stay. Kernel file systems are mounted while hooks run: never go there.
    find "$root" -xdev \( -path "$root/dev" -o -path "$root/proc" -o -path "$root/sys" \) -prune \
      -o ! -type d ! -newercm "$stamp" ! -name '*mmdebstrap*' \
      \( ! -type l -o -path "$root/*/*" \) -print0 | xargs -0 rm -f
    rm -f "$stamp"
    ;;
esac
