import { isUtf8 } from 'node:buffer';

/** The range of the second byte of a character, for first bytes after which not all of 80 to BF are allowed (RFC 3629 §4). */
const seconds = new Map<number, readonly [from: number, to: number]>([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);

/** How many bytes at the end are the beginning of a UTF-8 character whose other bytes may still come: 0 to 3. */
export function incompleteTail(data: Buffer): number {
  for (let back = 1; back <= Math.min(3, data.length); back += 1) {
    const byte = data[data.length - back] as number;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    if (lengthAt(byte) <= back) return 0;
    const [from, to] = seconds.get(byte) ?? [0x80, 0xbf];
    const second = back > 1 ? (data[data.length - back + 1] as number) : from;
    return second >= from && second <= to ? back : 0;
  }
  return 0;
}

/** The length of a character by its first byte; 1 for a byte that begins no character. */
function lengthAt(byte: number): number {
  if (byte < 0xc2 || byte > 0xf4) return 1;
  if (byte >= 0xf0) return 4;
  return byte >= 0xe0 ? 3 : 2;
}

/** Removes an incomplete character at the end, so that text does not become base64 only because it was cut. */
export const wholeCharacters = (data: Buffer): Buffer => data.subarray(0, data.length - incompleteTail(data));

/** `utf8` if all bytes are valid UTF-8, otherwise `base64` for all of them. So no byte is lost in either encoding. */
export const encodingOf = (...all: Buffer[]): 'utf8' | 'base64' =>
  all.every((data) => isUtf8(data)) ? 'utf8' : 'base64';
