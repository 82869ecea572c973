import { Problem } from '../../../shared/problems.ts';

/** No request of the contract is deeper than 6, or holds more than some tens of thousands of values. */
const maxDepth = 32;
const maxValues = 200_000;

const quote = 0x22;
const backslash = 0x5c;

/**
 * Refuses JSON that is small in bytes and huge in memory (`[[[[…`, `[{},{},…`) before it is parsed. Strings are
 * skipped at memory speed; only the structure is looked at byte by byte.
 */
export function refuseOversizedJson(bytes: Buffer): void {
  // A text this short can be neither deep nor full of values.
  if (bytes.length <= maxDepth) return;
  let depth = 0;
  let values = 0;
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case quote:
        i = endOfString(bytes, i);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        if (depth > maxDepth) throw oversized(`is nested deeper than ${maxDepth} levels`);
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth -= 1;
        break;
      case 0x2c: // ,
        values += 1;
        if (values > maxValues) throw oversized(`holds more than ${maxValues} values`);
        break;
    }
  }
}

function endOfString(bytes: Buffer, start: number): number {
  let at = start;
  for (;;) {
    at = bytes.indexOf(quote, at + 1);
    if (at < 0) return bytes.length;
    let before = at - 1;
    while (bytes[before] === backslash) before -= 1;
    // An even number of backslashes escapes itself, and the quote ends the string.
    if ((at - 1 - before) % 2 === 0) return at;
  }
}

const oversized = (what: string) =>
  new Problem('invalid_json', `The body ${what}, more than any request needs: send less in one request.`);

/** The path of a key named `__proto__`, which some parsers drop and none should take for data. */
export function findProtoKey(value: unknown, path: PropertyKey[] = []): PropertyKey[] | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, '__proto__')) return [...path, '__proto__'];
  for (const [key, child] of Object.entries(value)) {
    const found = findProtoKey(child, [...path, Array.isArray(value) ? Number(key) : key]);
    if (found !== undefined) return found;
  }
  return undefined;
}
