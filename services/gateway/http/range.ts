import type { ByteRange } from '../../../shared/blobs/blob-store.ts';

/** RFC 9110 §14.1.1: one range of bytes, `from-to`, `from-` or `-last`. */
const single = /^bytes=(\d{0,15})-(\d{0,15})$/i;

/**
 * The part that a Range field asks for. `undefined`: all of it, for there is none, or none that is understood; of several ranges too, which
 * a server may answer so (§14.2). `'outside'`: there is no such part (416).
 */
export function wantedRange(field: string | undefined, size: number): ByteRange | 'outside' | undefined {
  const [, first = '', last = ''] = single.exec(field?.replaceAll(' ', '') ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const from = Math.max(0, size - Number(last));
    return from < size ? { from, to: size - 1 } : 'outside';
  }
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'outside';
  return { from: Number(first), to: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

/** RFC 9110 §13.1.5: whether a Range counts for what has this (strong) ETag. Another state, or a date, which we have not, asks for all. */
export const rangeCounts = (ifRange: string | undefined, etag: string): boolean =>
  ifRange === undefined || ifRange.trim() === etag;
