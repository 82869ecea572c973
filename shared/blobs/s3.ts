import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { S3mini } from 's3mini';
import { type BlobStore, type ByteRange, checkKey, chunksOf, measured } from './blob-store.ts';

export type S3Settings = {
  /** The bucket is the path of the URL: `https://s3.example/bucket`. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
};

/** S3 takes parts of 5 MiB or more. A blob smaller than one part is sent in one request. */
const partBytes = 8 * 1024 * 1024;
const requestMs = 60_000;
const type = 'application/octet-stream';
/** The most that S3 gives in one listing. */
const pageKeys = 1000;

/** Stores blobs as objects in a bucket of any server that speaks S3. */
export function s3BlobStore(settings: S3Settings): BlobStore {
  const bucket = new S3mini({ ...settings, minPartSize: partBytes, requestAbortTimeout: requestMs });
  // Reads have no timeout for the whole request: the bytes come only as fast as a client takes them, which may take long.
  const reader = new S3mini(settings);

  async function* pages(prefix: string): AsyncGenerator<string[]> {
    let token: string | undefined;
    do {
      const page = await bucket.listObjectsPaged('/', prefix, pageKeys, token);
      yield (page?.objects ?? []).map(({ Key }) => Key);
      token = page?.nextContinuationToken;
    } while (token !== undefined && token !== '');
  }

  return {
    async put(key, source) {
      checkKey(key);
      const { chunks, result } = measured(chunksOf(source));
      const iterator = chunks[Symbol.asyncIterator]();
      const { head, ended } = await upTo(iterator, partBytes);
      if (ended) await bucket.putObject(key, head, type);
      else await bucket.putAnyObject(key, toWeb(head, iterator), type);
      return result();
    },

    async get(key, range): Promise<Readable | undefined> {
      checkKey(key);
      const response =
        range === undefined ? await reader.getObjectResponse(key) : await part(reader, key, range);
      if (response === null) return undefined;
      return response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as WebStream);
    },

    async removeAll(prefix) {
      checkKey(prefix);
      // Removed one by one: a run has few, and some S3 servers of other makers cannot remove many at once.
      for await (const keys of pages(`${prefix}/`)) for (const key of keys) await bucket.deleteObject(key);
    },

    async *list(prefix) {
      if (prefix !== '') checkKey(prefix);
      const start = prefix === '' ? '' : `${prefix}/`;
      // S3's delimiter is not used: servers and clients differ most in how they return common prefixes.
      let last: string | undefined;
      for await (const keys of pages(start)) {
        for (const key of keys) {
          const name = key.slice(start.length).split('/', 1)[0] as string;
          // Listings are in the order of the keys, so equal names come one after another.
          if (name !== last) yield name;
          last = name;
        }
      }
    },
  };
}

/** As `getObjectResponse`, of a part. */
async function part(reader: S3mini, key: string, { from, to }: ByteRange): Promise<Response | null> {
  try {
    const response = await reader.getObjectRaw(key, false, from, to + 1);
    // Some servers of other makers answer with more than was asked for, which would be more than we have announced.
    if (response.status === 206 && Number(response.headers.get('content-length')) === to - from + 1)
      return response;
    await response.body?.cancel();
  } catch (error) {
    if ((error as { status?: number }).status === 404) return null;
    throw error;
  }
  throw new Error('the S3 server does not answer with the part of an object that it is asked for');
}

/** Reads the beginning of a source, just far enough to know whether it is longer than `bytes`. */
async function upTo(
  iterator: AsyncIterator<Buffer>,
  bytes: number,
): Promise<{ head: Buffer; ended: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  while (size <= bytes) {
    const next = await iterator.next();
    if (next.done === true) return { head: Buffer.concat(chunks), ended: true };
    chunks.push(next.value);
    size += next.value.length;
  }
  return { head: Buffer.concat(chunks), ended: false };
}

function toWeb(head: Buffer, rest: AsyncIterator<Buffer>): ReadableStream {
  const all = (async function* () {
    yield head;
    yield* { [Symbol.asyncIterator]: () => rest };
  })();
  return Readable.toWeb(Readable.from(all, { objectMode: false })) as ReadableStream;
}
