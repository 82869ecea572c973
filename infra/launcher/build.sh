#!/bin/sh
# Builds the launcher as a static program for this machine's architecture, and beside it waiting.so, which it has loaded into a runtime:
#   sh infra/launcher/build.sh [OUT]
# Does nothing if OUT is newer than every source.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out=${1:-$here/build/launcher}
if [ -x "$out" ] && [ -z "$(find "$here" -maxdepth 2 \( -name '*.c' -o -name '*.h' -o -name build.sh \) -newer "$out")" ]; then
  exit 0
fi
compiler=
# musl makes a smaller program, but glibc works too.
for one in musl-gcc cc gcc clang; do
  if command -v "$one" >/dev/null 2>&1; then compiler=$one; break; fi
done
if [ -z "$compiler" ]; then
  echo "Building the launcher takes a C compiler: install gcc and libc6-dev (or musl-tools), then try again." >&2
  exit 1
fi
mkdir -p "$(dirname "$out")"
draft="$out.$$"
trap 'rm -f "$draft"' EXIT
"$compiler" -std=c11 -static -O2 -Wall -Wextra -Werror -fstack-protector-strong -Wl,-z,relro,-z,now -s \
  ${LAUNCHER_CFLAGS:-} -o "$draft" "$here"/*.c
# For the runtime's own C library, so not by musl-gcc. Where it cannot be built or loaded, runtimes are executed.
for one in cc gcc clang; do
  if command -v "$one" >/dev/null 2>&1; then
    "$one" -std=c11 -shared -fPIC -O2 -Wall -Wextra -Werror -fstack-protector-strong -Wl,-z,relro,-z,now -s \
      -o "$draft.so" "$here"/preload/waiting.c && mv -f "$draft.so" "$(dirname "$out")/waiting.so"
    break
  fi
done
# Moved in one step, so that two builds at the same time never see a half-written program.
mv -f "$draft" "$out"
