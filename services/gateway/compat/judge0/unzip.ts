import { inflateRawSync } from 'node:zlib';

/**
 * Reads the files of a zip archive (PKWARE APPNOTE 6.3): stored or deflated, neither encrypted nor split, no Zip64. The archive is hostile:
 * its central directory decides what is in it, each entry is bounded before it is unpacked, and links are left out.
 */

export type ZipFile = { path: string; data: Buffer; executable: boolean };

/** The archive cannot be read; the message says why. */
export class ZipFault extends Error {}

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endLength = 22;
const maxComment = 0xffff;
const unixHost = 3;

/** @param bounds how many files, and how many bytes of all files together, there may be */
export function unzip(archive: Buffer, bounds: { files: number; bytes: number }): ZipFile[] {
  try {
    return [...entriesOf(archive, bounds)];
  } catch (error) {
    if (error instanceof ZipFault) throw error;
    // An offset that leads outside of the archive, or data that is not deflated.
    throw new ZipFault('is not a valid zip archive');
  }
}

function* entriesOf(archive: Buffer, bounds: { files: number; bytes: number }): Generator<ZipFile> {
  const end = endOf(archive);
  const count = archive.readUInt16LE(end + 10);
  let at = archive.readUInt32LE(end + 16);
  let bytesLeft = bounds.bytes;
  if (count > bounds.files) throw new ZipFault(`has more than ${bounds.files} files`);
  for (let i = 0; i < count; i += 1) {
    if (archive.readUInt32LE(at) !== entrySignature) throw new ZipFault('is not a valid zip archive');
    const nameLength = archive.readUInt16LE(at + 28);
    const path = archive.toString('utf8', at + 46, at + 46 + nameLength);
    const mode = archive.readUInt8(at + 5) === unixHost ? archive.readUInt32LE(at + 38) >>> 16 : 0;
    if (!path.endsWith('/') && !isLink(mode)) {
      const data = dataOf(archive, at, bytesLeft);
      if (data.length > bytesLeft) throw tooLarge();
      bytesLeft -= data.length;
      yield { path: path.replace(/^(?:\.\/)+/, ''), data, executable: (mode & 0o111) !== 0 };
    }
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
}

/** Where the end record begins: behind it is only a comment. */
function endOf(archive: Buffer): number {
  const first = Math.max(0, archive.length - endLength - maxComment);
  for (let at = archive.length - endLength; at >= first; at -= 1)
    if (archive.readUInt32LE(at) === endSignature) return at;
  throw new ZipFault('is not a valid zip archive');
}

const isLink = (mode: number) => (mode & 0o170000) === 0o120000;

/** @param entry where its record in the central directory begins */
function dataOf(archive: Buffer, entry: number, most: number): Buffer {
  if ((archive.readUInt16LE(entry + 8) & 1) !== 0) throw new ZipFault('must not be encrypted');
  const method = archive.readUInt16LE(entry + 10);
  const packed = archive.readUInt32LE(entry + 20);
  const local = archive.readUInt32LE(entry + 42);
  if (archive.readUInt32LE(local) !== localSignature) throw new ZipFault('is not a valid zip archive');
  const from = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  if (from + packed > archive.length) throw new ZipFault('is not a valid zip archive');
  const data = archive.subarray(from, from + packed);
  if (method === 0) return data;
  if (method !== 8) throw new ZipFault('is compressed in a way that is not known here');
  try {
    return inflateRawSync(data, { maxOutputLength: Math.max(1, most) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw error;
  }
}

const tooLarge = () => new ZipFault('has too much in it');
