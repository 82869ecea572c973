/** A whole number from 0 on. The operator sets the upper bound, so the server checks it. */
export function parseWhole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error('Give a whole number.');
  return Number(text);
}

/** Like `parseWhole`, for values that make no sense as 0. */
export function parseCount(text: string): number {
  const count = parseWhole(text);
  if (count === 0) throw new Error('Give a whole number from 1 on.');
  return count;
}

/** A number of CPUs, fractions allowed: `0.5`, `2`. */
export function parseCpus(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?|\.\d+)$/.test(text)) throw new Error('Give a number of CPUs, like 0.5 or 2.');
  return Number(text);
}
