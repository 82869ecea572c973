import { uuidv7 } from 'uuidv7';

export type IdPrefix =
  | 'run'
  | 'svc'
  | 'whk'
  | 'del'
  | 'key'
  | 'pul'
  | 'wrk'
  | 'wrm'
  | 'lok'
  | 'pin'
  | 'evt'
  | 'ntf'
  | 'trf'
  | 'gtw';

/** A new id: prefix, then a UUIDv7 without dashes (RFC 9562 §5.7), so that ids sort by the time they were made. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}_${uuidv7().replaceAll('-', '')}`;
}

/** When an id was made, in ms since 1970: the first 48 bits of a UUIDv7 (RFC 9562 §5.7). */
export function madeAt(id: string): number {
  const at = id.indexOf('_') + 1;
  return Number.parseInt(id.slice(at, at + 12), 16);
}

/** True for a string of the form that `newId` makes. No other string is ever used in a Redis key. */
export function isId(prefix: IdPrefix, value: string): boolean {
  return value.startsWith(`${prefix}_`) && /^[0-9a-f]{32}$/.test(value.slice(prefix.length + 1));
}

/** The same, for an id with any prefix. */
export const anyId = (value: string) => /^[a-z]{3}_[0-9a-f]{32}$/.test(value);
