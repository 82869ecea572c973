#!/bin/sh
# `npm start`: makes sure that dependencies and Node 24 are there, then starts infra/start/main.ts.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/infra/ensure-node.sh"
PATH="$root/node_modules/.bin:$PATH"
export PATH
exec "$node" "$root/infra/start/main.ts" "$@"
