#!/usr/bin/env bash
# Sums up an access log: requests and bytes by path, and how many failed.
set -euo pipefail
source "$(dirname "$0")/lib/format.sh"

declare -A requests bytes
failed=0
while read -r _ path status size; do
  [[ $path =~ ^/([^/?]*) ]] || continue
  name=/${BASH_REMATCH[1]}
  requests[$name]=$((${requests[$name]:-0} + 1))
  bytes[$name]=$((${bytes[$name]:-0} + size))
  if ((status >= 500)); then failed=$((failed + 1)); fi
done

for name in "${!requests[@]}"; do
  printf '%s\t%d\t%s\n' "$name" "${requests[$name]}" "$(human "${bytes[$name]}")"
done | sort -t $'\t' -k2,2nr -k1,1
echo "failed: $failed of $(IFS=+; echo $((${requests[*]})))"
echo "arguments: $# ${*@Q}"
