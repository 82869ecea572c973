import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { artifactKey } from '../../shared/blobs/blob-store.ts';
import type { Run } from '../../shared/contracts/run.ts';
import { newId } from '../../shared/ids.ts';
import { startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

const key = `rlk_${'c'.repeat(24)}`;
let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
  await on.gateway.apiKeys.put(key, { keyId: newId('key'), tenant: 'default', role: 'admin' });
});
afterAll(() => on.stop());

type Raw = { status: number; headers: IncomingHttpHeaders; body: Buffer };

/** As it comes over the wire: fetch would decompress it. */
function raw(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const all = { authorization: `Bearer ${key}`, ...headers };
    httpRequest(`${on.url}${path}`, { method, headers: all }, async (response) => {
      const body = Buffer.concat(await response.toArray());
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
    })
      .once('error', reject)
      .end();
  });
}

const gzip = { 'accept-encoding': 'gzip, deflate' };
const browser = { 'accept-encoding': 'gzip, deflate, br, zstd' };

/** An ended run with so much output. */
async function runWith(output: string): Promise<Run> {
  const run = (await (await on.call('POST', '/v1/runs', { image: 'busybox' })).json()) as Run;
  await actAsWorker(on).perform(run.id, output);
  return run;
}

describe('what is large is compressed', () => {
  test.each(['/openapi.json', '/docs/swagger-ui-bundle.js', '/docs/swagger-ui.css'])('%s', async (path) => {
    const plain = await raw(path);
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.headers.vary).toBe('Accept-Encoding');
    expect(plain.headers['content-length']).toBe(String(plain.body.length));
    const zipped = await raw(path, gzip);
    expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
    expect(zipped.body.length).toBeLessThan(plain.body.length / 2);
    const small = await raw(path, browser);
    expect(small.headers['content-encoding']).toBe('br');
    expect(brotliDecompressSync(small.body).equals(plain.body)).toBe(true);
    for (const accepted of ['gzip;q=0, br;q=0', 'identity', 'zstd'])
      expect((await raw(path, { 'accept-encoding': accepted })).body.equals(plain.body)).toBe(true);
    expect((await raw(path, gzip, 'HEAD')).status).toBe(200);
  });

  test('a run with much output, and a list', async () => {
    const output = 'all work and no play\n'.repeat(500);
    const run = await runWith(output);
    for (const path of [`/v1/runs/${run.id}`, '/v1/runs']) {
      const plain = await raw(path);
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.headers.vary).toBe('Accept-Encoding');
      const zipped = await raw(path, gzip);
      expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
      expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
      expect((await raw(path, { 'accept-encoding': 'gzip;q=0' })).body.equals(plain.body)).toBe(true);
    }
  });
});

describe('what is not to be held back goes as it is', () => {
  test('small answers', async () => {
    const run = await runWith('hi');
    expect((await raw(`/v1/runs/${run.id}`, gzip)).headers['content-encoding']).toBeUndefined();
  });

  test('events', async () => {
    const run = await runWith('all work and no play\n'.repeat(500));
    const { headers, body } = await raw(`/v1/runs/${run.id}/events`, browser);
    expect(headers['content-encoding']).toBeUndefined();
    expect(body.toString()).toContain('event: exit');
  });

  test('artifacts, whole and in part', async () => {
    const run = (await (
      await on.call('POST', '/v1/runs', { image: 'busybox', artifacts: ['*'] })
    ).json()) as Run;
    const worker = actAsWorker(on);
    const holder = await worker.start(run.id);
    const data = Buffer.alloc(50_000, 'a');
    const stored = await on.gateway.blobs.put(artifactKey('default', run.id, holder.attempt, 0), data);
    await worker.finish(holder, 'succeeded', { artifacts: [{ path: 'a.txt', ...stored }] });
    for (const [more, length] of [
      [{}, 50_000],
      [{ range: 'bytes=0-9999' }, 10_000],
    ] as const) {
      const { headers, body } = await raw(`/v1/runs/${run.id}/artifacts/a.txt`, { ...browser, ...more });
      expect(headers['content-encoding']).toBeUndefined();
      expect(body.length).toBe(length);
    }
  });
});

test('a client that has the document is told so', async () => {
  const first = await raw('/openapi.json', gzip);
  const etag = first.headers.etag ?? '';
  expect(etag).toMatch(/^(?:W\/)?"[\w-]{20,}"$/);
  for (const held of [etag, `"other", ${etag}`, '*']) {
    const again = await raw('/openapi.json', { ...browser, 'if-none-match': held });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    expect(again.headers).toMatchObject({ etag, vary: 'Accept-Encoding', 'cache-control': 'no-cache' });
  }
  expect((await raw('/openapi.json', { 'if-none-match': '"other"' })).status).toBe(200);
});
