import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { S3mini } from 's3mini';
import { type BlobStore, checkKey, chunksOf, measured } from './blob-store.ts';

export type S3Settings = {
  /** With the bucket as its path: `https://s3.example/bucket`. */
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
};

/** S3 takes parts of 5 MiB or more; what is smaller than one goes in one request. */
const partBytes = 8 * 1024 * 1024;
const requestMs = 60_000;
const type = 'application/octet-stream';
/** The most that S3 gives in one listing. */
const pageKeys = 1000;

/** Blobs as objects in a bucket of anything that speaks S3. */
export function s3BlobStore(settings: S3Settings): BlobStore {
  const bucket = new S3mini({ ...settings, minPartSize: partBytes, requestAbortTimeout: requestMs });
  // Its bytes come as fast as a client takes them: that may last.
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

    async get(key): Promise<Readable | undefined> {
      checkKey(key);
      const response = await reader.getObjectResponse(key);
      if (response === null) return undefined;
      return response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as WebStream);
    },

    async removeAll(prefix) {
      checkKey(prefix);
      // One by one: a run has few, and the removal of many at once is what servers of other makers lack.
      for await (const keys of pages(`${prefix}/`)) for (const key of keys) await bucket.deleteObject(key);
    },

    async *list(prefix) {
      if (prefix !== '') checkKey(prefix);
      const start = prefix === '' ? '' : `${prefix}/`;
      // Without S3's delimiter: how the common prefixes come back is where servers and clients differ most.
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

/** The beginning of a source, no longer than it takes to know that it is longer than `bytes`. */
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
