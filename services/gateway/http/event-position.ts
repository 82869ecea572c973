import { badField } from '../../../shared/problems.ts';

/** Redis's ids are two numbers of 64 bits; nothing can come after the very last, and Redis refuses to look. */
const maxPart = 2n ** 64n - 2n;

/** Where a client left off: the value of `Last-Event-ID` (or of another `name`), checked; `0` for the beginning. */
export function eventPosition(value: string | undefined, name = 'Last-Event-ID'): string {
  if (value === undefined) return '0';
  const parts = /^(\d{1,20})-(\d{1,20})$/.exec(value);
  if (parts === null || BigInt(parts[1] as string) > maxPart || BigInt(parts[2] as string) > maxPart)
    throw badField(name, 'must be the id of an event of this stream, as in 1731000000000-0');
  return value;
}
