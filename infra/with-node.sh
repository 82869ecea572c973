#!/bin/sh
# Runs a command of this project with its dependencies installed and Node 24 first in PATH:
#   sh infra/with-node.sh vitest run
# In a fresh clone it installs what is missing. Otherwise it takes a few milliseconds and needs no network.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/infra/ensure-node.sh"
PATH="$root/node_modules/.bin:$PATH"
export PATH
exec "$@"
