import { existsSync, readFileSync } from 'node:fs';

const table = '/proc/net/nf_conntrack';

/** A kernel without that file does not show its table of connections. */
export const connectionsShown = existsSync(table);

/** How many connections this machine's kernel keeps in its table that an address began. */
export function connectionsOf(address: string): number {
  // The first `src` of a line is who began it; the second, of the answers, is the other one.
  const lines = readFileSync(table, 'utf8').split('\n');
  return lines.filter((line) => / src=(\S+)/.exec(line)?.[1] === address).length;
}
