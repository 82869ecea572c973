import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactKey, type BlobStore, runBlobs, scoped } from '../../../shared/blobs/blob-store.ts';
import { folderBlobStore } from '../../../shared/blobs/folder.ts';
import { openBlobStore } from '../../../shared/blobs/open.ts';
import { s3BlobStore } from '../../../shared/blobs/s3.ts';
import { readEnvironment, sharedEnvironment } from '../../../shared/config.ts';
import { startS3 } from '../../support/s3.ts';

const MiB = 1024 * 1024;
const root = mkdtempSync(join(tmpdir(), 'runlet-blobs-'));
let s3: Awaited<ReturnType<typeof startS3>>;
beforeAll(async () => {
  s3 = await startS3();
});
afterAll(async () => {
  await s3.stop();
  rmSync(root, { recursive: true, force: true });
});

const kinds: [name: string, open: () => BlobStore][] = [
  ['a folder', () => folderBlobStore(join(root, 'a'))],
  ['S3', () => s3BlobStore(s3.settings)],
];

const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const keyOf = (index: number, run = 'run_1') => artifactKey('default', run, 1, index);

async function read(store: BlobStore, key: string): Promise<Buffer | undefined> {
  const stream = await store.get(key);
  return stream === undefined ? undefined : buffer(stream);
}

async function* pieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function names(store: BlobStore, prefix: string): Promise<string[]> {
  const all: string[] = [];
  for await (const name of store.list(prefix)) all.push(name);
  return all.sort();
}

describe.each(kinds)('%s', (_, open) => {
  test.each([
    ['nothing', 0, 1],
    ['some bytes', 1000, 7],
    ['exactly one part', 8 * MiB, 65_536],
    ['more than one part', 17 * MiB + 3, 65_536],
  ])('keeps %s', async (_, size, pieceSize) => {
    const store = open();
    const data = randomBytes(size);
    const whole = { sizeBytes: size, sha256: digest(data) };
    expect(await store.put(keyOf(0, 'run_sizes'), pieces(data, pieceSize))).toEqual(whole);
    expect((await read(store, keyOf(0, 'run_sizes')))?.equals(data)).toBe(true);
    expect(await store.put(keyOf(1, 'run_sizes'), data)).toEqual(whole);
    expect((await read(store, keyOf(1, 'run_sizes')))?.equals(data)).toBe(true);
    await store.removeAll(runBlobs('default', 'run_sizes'));
  });

  test('gives a part of it', async () => {
    const store = open();
    const key = keyOf(0, 'run_part');
    const data = randomBytes(1_000_000);
    await store.put(key, data);
    for (const [from, to] of [
      // (s3rver takes a last byte of 0 for none.)
      [0, 1],
      [1, 1],
      [10, 99_999],
      [999_999, 999_999],
    ] as const) {
      const stream = await store.get(key, { from, to });
      expect(stream && (await buffer(stream)).equals(data.subarray(from, to + 1))).toBe(true);
    }
    expect(await store.get(keyOf(1, 'run_part'), { from: 0, to: 1 })).toBeUndefined();
    await store.removeAll(runBlobs('default', 'run_part'));
  });

  test('has nothing where nothing was put, and removes nothing twice', async () => {
    const store = open();
    expect(await store.get(keyOf(0, 'run_none'))).toBeUndefined();
    await store.removeAll(runBlobs('default', 'run_none'));
    await store.removeAll(runBlobs('default', 'run_none'));
    expect(await names(store, 'nobody')).toEqual([]);
  });

  test('replaces what was there, whole', async () => {
    const store = open();
    await store.put(keyOf(0), Buffer.from('a long first one'));
    await store.put(keyOf(0), Buffer.from('short'));
    expect((await read(store, keyOf(0)))?.toString()).toBe('short');
  });

  test.each([100, 20 * MiB])('keeps nothing of a source that fails after %i bytes', async (bytes) => {
    const store = open();
    const failing = (async function* () {
      yield* pieces(randomBytes(bytes), 65_536);
      throw new Error('the sandbox is gone');
    })();
    await expect(store.put(keyOf(0, 'run_failed'), failing)).rejects.toThrow();
    expect(await store.get(keyOf(0, 'run_failed'))).toBeUndefined();
  });

  test('removes a run’s blobs and no other’s', async () => {
    const store = open();
    for (const run of ['run_a', 'run_ab'])
      for (const i of [0, 1]) await store.put(keyOf(i, run), Buffer.from(run));
    await store.removeAll(runBlobs('default', 'run_a'));
    expect(await store.get(keyOf(0, 'run_a'))).toBeUndefined();
    expect(await store.get(keyOf(1, 'run_a'))).toBeUndefined();
    expect((await read(store, keyOf(1, 'run_ab')))?.toString()).toBe('run_ab');
    await store.removeAll(runBlobs('default', 'run_ab'));
  });

  test('lists tenants, and their runs', async () => {
    const store = scoped(open(), 'listing');
    for (const [tenant, run] of [
      ['a', 'run_1'],
      ['a', 'run_2'],
      ['b', 'run_3'],
    ] as const)
      for (const i of [0, 1]) await store.put(artifactKey(tenant, run, 1, i), Buffer.from('x'));
    expect(await names(store, '')).toEqual(['a', 'b']);
    expect(await names(store, 'a')).toEqual(['run_1', 'run_2']);
    expect(await names(scoped(open(), 'another'), '')).toEqual([]);
    for (const tenant of ['a', 'b']) await store.removeAll(tenant);
    expect(await names(store, '')).toEqual([]);
  });

  test.each(['', '/a', 'a/', '../a', 'a/../b', '.a', 'a/.b', 'a b', 'a//b', 'a\0', 'a\\b', 'a/\u00fc'])(
    'refuses the key %j',
    async (key) => {
      const store = open();
      await expect(store.put(key, Buffer.from('x'))).rejects.toThrow();
      await expect((async () => store.get(key))()).rejects.toThrow();
      await expect((async () => store.removeAll(key))()).rejects.toThrow();
    },
  );
});

test('a folder follows no link, and leaves no draft behind', async () => {
  const folder = join(root, 'links');
  const store = folderBlobStore(folder);
  const secret = join(root, 'secret');
  writeFileSync(secret, 'not yours');
  mkdirSync(join(folder, 'default/run_1'), { recursive: true });
  symlinkSync(secret, join(folder, keyOf(0)));
  expect(await store.get(keyOf(0))).toBeUndefined();
  mkdirSync(join(folder, keyOf(1)));
  expect(await store.get(keyOf(1))).toBeUndefined();
  await expect(
    store.put(
      keyOf(2),
      (async function* () {
        yield Buffer.from('x');
        throw new Error('broken off');
      })(),
    ),
  ).rejects.toThrow('broken off');
  expect(readdirSync(join(folder, '.drafts'))).toEqual([]);
});

test('drafts of a killed process go with the first put of a later one, those of others stay', async () => {
  const folder = join(root, 'killed');
  const drafts = join(folder, '.drafts');
  mkdirSync(drafts, { recursive: true });
  for (const name of ['old', 'new']) writeFileSync(join(drafts, name), 'x');
  const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
  utimesSync(join(drafts, 'old'), twoDaysAgo, twoDaysAgo);
  await folderBlobStore(folder).put(keyOf(0), Buffer.from('x'));
  expect(readdirSync(drafts)).toEqual(['new']);
});

test('an old draft that cannot be removed keeps no blob from its place', async () => {
  const folder = join(root, 'stuck');
  const drafts = join(folder, '.drafts');
  // No file, so it is not removed as one; nor can a draft of another user be, in a folder whose sticky bit is set.
  for (const name of ['a', 'c']) mkdirSync(join(drafts, name), { recursive: true });
  writeFileSync(join(drafts, 'b'), 'x');
  const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
  for (const name of ['a', 'b', 'c']) utimesSync(join(drafts, name), twoDaysAgo, twoDaysAgo);
  await folderBlobStore(folder).put(keyOf(0), Buffer.from('x'));
  expect(readFileSync(join(folder, keyOf(0)), 'utf8')).toBe('x');
  expect(readdirSync(drafts)).toEqual(['a', 'c']);
});

test('a folder is for its group where it was given to one, for nobody else, whatever the umask', async () => {
  const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
  const given = join(root, 'given');
  mkdirSync(given);
  chmodSync(given, 0o2770);
  const made = join(root, 'made');
  const umask = process.umask(0o077);
  try {
    for (const folder of [given, made]) {
      await folderBlobStore(folder).put(keyOf(0), Buffer.from('x'));
      for (const path of ['.drafts', 'default', 'default/run_1'])
        expect(modeOf(join(folder, path))).toBe('2770');
      expect(modeOf(join(folder, keyOf(0)))).toBe('640');
    }
  } finally {
    process.umask(umask);
  }
  expect(modeOf(given)).toBe('2770');
  expect(modeOf(made)).toBe('700');
});

test('the environment names the store, and half of one is told', async () => {
  const given = { RUNLET_SECRET_KEY: 'x'.repeat(32), RUNLET_DATA_DIR: root };
  const env = (more: Record<string, string>) => readEnvironment(sharedEnvironment, { ...given, ...more });
  const folder = await openBlobStore(env({}), 'one');
  await folder.put(keyOf(0), Buffer.from('here'));
  expect(readdirSync(join(root, 'artifacts/one/default/run_1'))).toEqual(['1-0']);

  const endpoint = new URL(s3.settings.endpoint).origin;
  await expect(openBlobStore(env({ RUNLET_S3_ENDPOINT: endpoint }), 'one')).rejects.toThrow(
    'RUNLET_S3_BUCKET',
  );
  const whole = env({
    RUNLET_S3_ENDPOINT: endpoint,
    RUNLET_S3_BUCKET: s3.bucket,
    RUNLET_S3_ACCESS_KEY_ID: 'S3RVER',
    RUNLET_S3_SECRET_ACCESS_KEY: 'S3RVER',
  });
  const store = await openBlobStore(whole, 'one');
  await store.put(keyOf(0), Buffer.from('there'));
  expect((await read(store, keyOf(0)))?.toString()).toBe('there');
  await store.removeAll('default');
  const wrong = await openBlobStore({ ...whole, RUNLET_S3_ACCESS_KEY_ID: 'wrong' }, 'one');
  await expect(wrong.put(keyOf(0), Buffer.from('x'))).rejects.toThrow();
});
