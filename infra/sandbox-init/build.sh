#!/bin/sh
# Builds the sandbox init as a static program for this machine's architecture:  sh infra/sandbox-init/build.sh [OUT]
# Does nothing if OUT is newer than every source.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=${1:-$here/build/init}
if [ -x "$out" ] && [ -z "$(find "$here" -maxdepth 1 \( -name '*.c' -o -name '*.h' -o -name build.sh \) -newer "$out")" ]; then
  exit 0
fi
compiler=
# musl makes a smaller program, but glibc works too.
for one in musl-gcc cc gcc clang; do
  if command -v "$one" >/dev/null 2>&1; then compiler=$one; break; fi
done
if [ -z "$compiler" ]; then
  echo "Building the sandbox init takes a C compiler: install gcc and libc6-dev (or musl-tools), then try again." >&2
  exit 1
fi
mkdir -p "$(dirname "$out")"
draft="$out.$$"
trap 'rm -f "$draft"' EXIT
"$compiler" -std=c11 -static -O2 -Wall -Wextra -Werror -fstack-protector-strong -Wl,-z,relro,-z,now -s \
  ${INIT_CFLAGS:-} -o "$draft" "$here"/*.c
# Moved in one step, so that two builds at the same time never see a half-written program.
mv -f "$draft" "$out"
