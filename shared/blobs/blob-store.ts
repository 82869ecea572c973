import { createHash, type Hash } from 'node:crypto';
import type { Readable } from 'node:stream';

/** What was stored. */
export type StoredBlob = { sizeBytes: number; sha256: string };

/** A part of a blob that lies within it: the first byte and the last, counted from 0. */
export type ByteRange = { from: number; to: number };

/** Where artifacts are stored. A key has parts of letters, digits, `.`, `_` and `-`, with `/` between them. */
export interface BlobStore {
  /** Stores the whole source under the key, or nothing. An earlier blob with this key is replaced. */
  put(key: string, source: AsyncIterable<Buffer> | Buffer): Promise<StoredBlob>;
  /**
   * The bytes of a blob, or of a part of it, of which no other is read; only as fast as the caller takes them. `undefined` if there is no
   * such blob.
   */
  get(key: string, range?: ByteRange): Promise<Readable | undefined>;
  /** Removes every blob whose key begins with `prefix` and a `/`. Idempotent. */
  removeAll(prefix: string): Promise<void>;
  /** The names directly below a prefix (`''`: the first parts of all keys), in no order. */
  list(prefix: string): AsyncIterable<string>;
}

const part = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}$/;

/** Throws for a key that is not allowed. Such a key could name any path that its author wants. */
export function checkKey(key: string): void {
  if (!key.split('/').every((one) => part.test(one)))
    throw new Error(`not a blob's key: ${JSON.stringify(key)}`);
}

/** The prefix of all blobs of one run, of all its attempts. */
export const runBlobs = (tenant: string, runId: string) => `${tenant}/${runId}`;

/**
 * The key of one artifact of one attempt. `index`: its place in the run's `artifacts`. The key contains the attempt, so that a
 * worker that lost its run cannot overwrite what the next worker stores.
 */
export const artifactKey = (tenant: string, runId: string, attempt: number, index: number) =>
  `${runBlobs(tenant, runId)}/${attempt}-${index}`;

/** A file of a service on its way between gateway and worker, needed for a few minutes only. `id`: of kind `trf`. */
export const transferKey = (tenant: string, id: string) => `${tenant}/${id}`;

/** A view of a store in which every key begins with `scope`: several Runlets may share a bucket. */
export function scoped(store: BlobStore, scope: string): BlobStore {
  checkKey(scope);
  return {
    put: (key, source) => store.put(`${scope}/${key}`, source),
    get: (key, range) => store.get(`${scope}/${key}`, range),
    removeAll: (prefix) => store.removeAll(`${scope}/${prefix}`),
    list: (prefix) => store.list(prefix === '' ? scope : `${scope}/${prefix}`),
  };
}

export const chunksOf = (source: AsyncIterable<Buffer> | Buffer): AsyncIterable<Buffer> =>
  Buffer.isBuffer(source) ? once(source) : source;

async function* once(data: Buffer): AsyncGenerator<Buffer> {
  if (data.length > 0) yield data;
}

/** Counts the bytes that pass through, and computes their digest. */
export function measured(source: AsyncIterable<Buffer>): {
  chunks: AsyncIterable<Buffer>;
  result: () => StoredBlob;
} {
  const hash: Hash = createHash('sha256');
  let sizeBytes = 0;
  return {
    chunks: (async function* () {
      for await (const chunk of source) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    })(),
    result: () => ({ sizeBytes, sha256: hash.digest('hex') }),
  };
}
