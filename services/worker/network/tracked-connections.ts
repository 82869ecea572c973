import { readFileSync } from 'node:fs';

/** How many connections this machine keeps track of: its table is full then, for everybody. `null`: the kernel does not say, or keeps none yet. */
export function trackedConnections(): number | null {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8'), 10) || null;
  } catch {
    return null;
  }
}
