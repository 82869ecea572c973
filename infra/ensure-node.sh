# To be sourced, with $root set. Installs the dependencies if they are missing or differ from package-lock.json, and sets
# $node to a Node that runs TypeScript directly (24 or newer). If all is there it does nothing and needs no network.

# A copy of the lock file that node_modules last agreed with. Contents are compared, not times: a git checkout changes times.
stamp="$root/node_modules/.runlet-lock"
lock_sum=$(cksum < "$root/package-lock.json")

if [ "$(cat "$stamp" 2>/dev/null || true)" != "$lock_sum" ]; then
  if ! command -v npm >/dev/null 2>&1; then
    echo "Runlet needs npm to install its dependencies: install Node.js 20 or newer with npm, then try again." >&2
    exit 1
  fi
  # Only one at a time: two commands started together in a fresh clone would each empty the folder while the other fills it.
  mkdir -p "$root/.runlet"
  exec 9>"$root/.runlet/install.lock"
  if command -v flock >/dev/null 2>&1; then flock 9; fi
  if ! node "$root/infra/lock-agrees.cjs" "$root"; then
    echo "Installing dependencies (npm ci) in $root …" >&2
    # In an npm script, the outer npm passes its settings on as npm_config_*. That is harmless: they are the user's own settings.
    (cd "$root" && npm ci --no-fund --no-audit --loglevel=error >&2) || {
      echo "npm ci failed: see its message above, then run the same command again." >&2
      exit 1
    }
  fi
  echo "$lock_sum" > "$stamp"
  exec 9>&-
fi

is_new_node() {
  [ -x "$1" ] && [ "$("$1" -p 'Number(process.versions.node.split(".")[0]) >= 24' 2>/dev/null)" = true ]
}

node="$root/node_modules/.bin/node"
if ! is_new_node "$node"; then
  node=$(command -v node || true)
  if [ -z "$node" ] || ! is_new_node "$node"; then
    echo "Runlet needs Node.js 24 or newer. It normally comes with 'npm ci' (the optional package 'node'); run" >&2
    echo "'npm ci --include=optional' in $root, or install Node.js 24, then try again." >&2
    exit 1
  fi
fi

# Node's own cache keeps compiled code and stripped types between starts. With it, our programs start in half the time.
: "${NODE_COMPILE_CACHE:=$root/node_modules/.cache/node-compile}"
export NODE_COMPILE_CACHE
