import type { Sink } from '../output/sink.ts';

/** As long as the time in an id: two of the same millisecond have more of it shown. */
const leastDigits = 12;

/**
 * Ids as a table shows them. On a terminal: the shortest beginnings by which these can be told apart, which every command takes
 * in the place of the whole. In a pipe: whole.
 */
export function shortIds(out: Pick<Sink, 'isTTY'>, ids: readonly string[]): (id: string) => string {
  if (!out.isTTY) return (id) => id;
  const digits = (id: string) => id.slice(id.indexOf('_') + 1).length;
  const longest = Math.max(0, ...ids.map(digits));
  let length = leastDigits;
  const cut = (id: string) => id.slice(0, id.indexOf('_') + 1 + length);
  const distinct = new Set(ids).size;
  while (length < longest && new Set(ids.map(cut)).size < distinct) length += 1;
  return (id) => cut(id);
}
