human() {
  local size=$1 unit
  for unit in B KiB MiB GiB; do
    if ((size < 1024)); then break; fi
    size=$((size / 1024))
  done
  echo "$size $unit"
}
