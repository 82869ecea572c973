import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBlobSweep } from '../../services/gateway/janitor/blobs.ts';
import { createJanitor } from '../../services/gateway/janitor/janitor.ts';
import { artifactKey, runBlobs, transferKey } from '../../shared/blobs/blob-store.ts';
import type { Run } from '../../shared/contracts/run.ts';
import { newId } from '../../shared/ids.ts';
import { type Call, problemOf, runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_RETENTION_MS: '60000' });
});
afterAll(() => on.stop());

/** A run that has ended and kept these files. */
async function runWith(files: Record<string, Buffer>, call: Call = on.call): Promise<Run> {
  const run = await runOf(
    await call('POST', '/v1/runs', { image: 'busybox', artifacts: ['**'], retries: 1 }),
    202,
  );
  const worker = actAsWorker(on);
  const holder = await worker.start(run.id);
  const artifacts = [];
  for (const [index, [path, data]] of Object.entries(files).entries()) {
    const key = artifactKey(holder.tenant, run.id, holder.attempt, index);
    artifacts.push({ path, ...(await on.gateway.blobs.put(key, data)) });
  }
  await worker.finish(holder, 'succeeded', { artifacts });
  return runOf(await call('GET', `/v1/runs/${run.id}`), 200);
}

const pathOf = (run: Run, path: string) =>
  `/v1/runs/${run.id}/artifacts/${path.split('/').map(encodeURIComponent).join('/')}`;

async function blobsOf(tenant: string): Promise<string[]> {
  const names: string[] = [];
  for await (const name of on.gateway.blobs.list(tenant)) names.push(name);
  return names.sort();
}

test('an artifact comes back byte by byte, as an attachment', async () => {
  const data = randomBytes(3_000_000);
  const run = await runWith({ 'out/a.bin': data, 'b.txt': Buffer.from('text') });
  const sha256 = createHash('sha256').update(data).digest('hex');
  expect(run.artifacts[0]).toEqual({ path: 'out/a.bin', sizeBytes: data.length, sha256 });
  const response = await on.call('GET', pathOf(run, 'out/a.bin'));
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-length': String(data.length),
    'content-disposition': `attachment; filename="a.bin"; filename*=UTF-8''a.bin`,
    'x-content-type-options': 'nosniff',
    etag: `"${sha256}"`,
    'cache-control': 'private, no-cache',
  });
  expect(Buffer.from(await response.arrayBuffer()).equals(data)).toBe(true);
  expect(await (await on.call('GET', pathOf(run, 'b.txt'))).text()).toBe('text');
});

test('who holds it is told so', async () => {
  const run = await runWith({ a: Buffer.from('x') });
  const etag = `"${run.artifacts[0]?.sha256}"`;
  for (const held of [etag, `"other", W/${etag}`, '*']) {
    const response = await on.call('GET', pathOf(run, 'a'), undefined, { 'if-none-match': held });
    expect([response.status, await response.text()]).toEqual([304, '']);
  }
  const other = await on.call('GET', pathOf(run, 'a'), undefined, { 'if-none-match': '"other"' });
  expect(await other.text()).toBe('x');
});

test.each([
  ['bytes=0-3', '0123', '0-3'],
  ['bytes=7-', '789', '7-9'],
  ['bytes=-2', '89', '8-9'],
  ['bytes=-99', '0123456789', '0-9'],
  ['bytes=8-99', '89', '8-9'],
])('a range of it comes alone: %s', async (range, text, part) => {
  const run = await runWith({ a: Buffer.from('0123456789') });
  const etag = `"${run.artifacts[0]?.sha256}"`;
  for (const more of [{}, { 'if-range': etag }]) {
    const response = await on.call('GET', pathOf(run, 'a'), undefined, { range, ...more });
    expect([response.status, await response.text()]).toEqual([206, text]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-range': `bytes ${part}/10`,
      'content-length': String(text.length),
      'accept-ranges': 'bytes',
      etag,
    });
  }
  // Of another state, or of a HEAD, all is meant; who holds it is told so first.
  const stale = await on.call('GET', pathOf(run, 'a'), undefined, { range, 'if-range': '"other"' });
  expect([stale.status, await stale.text()]).toEqual([200, '0123456789']);
  const head = await on.call('HEAD', pathOf(run, 'a'), undefined, { range });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '10']);
  const held = await on.call('GET', pathOf(run, 'a'), undefined, { range, 'if-none-match': etag });
  expect(held.status).toBe(304);
});

test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('a range beyond it is refused: %s', async (range) => {
  const run = await runWith({ a: Buffer.from('0123456789') });
  const response = await on.call('GET', pathOf(run, 'a'), undefined, { range });
  expect(response.headers.get('content-range')).toBe('bytes */10');
  await problemOf(response, 416, 'range_not_satisfiable');
});

test.each(['bytes=0-1,4-5', 'bytes=5-1', 'lines=1-2', 'bytes=-', 'bytes=a-b', 'nonsense'])(
  'what is no single range is answered with all of it: %s',
  async (range) => {
    const run = await runWith({ a: Buffer.from('0123456789') });
    const response = await on.call('GET', pathOf(run, 'a'), undefined, { range });
    expect([response.status, await response.text()]).toEqual([200, '0123456789']);
    expect(response.headers.get('accept-ranges')).toBe('bytes');
  },
);

test.each([
  [
    'größe (1)*.txt',
    `attachment; filename="gr__e (1)*.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%281%29%2A.txt`,
  ],
  [
    'x"; a=\\"b\r\nSet-Cookie: c',
    `attachment; filename="x_; a=__b__Set-Cookie: c"; filename*=UTF-8''x%22%3B%20a%3D%5C%22b%0D%0ASet-Cookie%3A%20c`,
  ],
  ['%41', `attachment; filename="_41"; filename*=UTF-8''%2541`],
  ['.env', `attachment; filename=".env"; filename*=UTF-8''.env`],
])('a name like %j is only a name', async (name, disposition) => {
  const run = await runWith({ [`dir/${name}`]: Buffer.from('x') });
  const response = await on.call('GET', pathOf(run, `dir/${name}`));
  expect(await response.text()).toBe('x');
  expect(response.headers.get('content-disposition')).toBe(disposition);
  expect(response.headers.get('set-cookie')).toBeNull();
});

test('what is no artifact is not found', async () => {
  const run = await runWith({ 'out/a': Buffer.from('x') });
  for (const path of ['a', 'out', 'out/', 'out/a/', 'out//a', '1-0', '..%2f1-0', 'out/%2e%2e/a', '%00'])
    await problemOf(await on.call('GET', `/v1/runs/${run.id}/artifacts/${path}`), 404, 'not_found');
  await problemOf(await on.call('GET', `/v1/runs/${newId('run')}/artifacts/a`), 404, 'not_found');
});

test('somebody else’s artifact is not found', async () => {
  const run = await runWith({ a: Buffer.from('x') });
  const other = await on.caller('another');
  await problemOf(await other('GET', pathOf(run, 'a')), 404, 'not_found');
});

test('an attempt that was lost does not show its files', async () => {
  const run = await runOf(
    await on.call('POST', '/v1/runs', { image: 'a', artifacts: ['x'], retries: 1 }),
    202,
  );
  const lost = await actAsWorker(on).start(run.id);
  const worker = actAsWorker(on);
  const holder = await worker.start(run.id);
  expect(holder.attempt).toBe(2);
  const put = (attempt: number, text: string) =>
    on.gateway.blobs.put(artifactKey('default', run.id, attempt, 0), Buffer.from(text));
  const stored = await put(2, 'second');
  await put(lost.attempt, 'first, late');
  await worker.finish(holder, 'succeeded', { artifacts: [{ path: 'x', ...stored }] });
  expect(await (await on.call('GET', pathOf(run, 'x'))).text()).toBe('second');
});

test('bytes that are gone are told as gone', async () => {
  const run = await runWith({ a: Buffer.from('x') });
  await on.gateway.blobs.removeAll(runBlobs('default', run.id));
  const problem = await problemOf(await on.call('GET', pathOf(run, 'a')), 404, 'not_found');
  expect(problem.detail).toContain('no longer there');
});

test('with a run go its artifacts: deleted, and forgotten', async () => {
  const [first, second] = [await runWith({ a: Buffer.from('x') }), await runWith({ a: Buffer.from('y') })];
  expect((await on.call('DELETE', `/v1/runs/${first.id}`)).status).toBe(204);
  expect(await blobsOf('default')).not.toContain(first.id);
  expect(await blobsOf('default')).toContain(second.id);
  await createJanitor(on.gateway).sweep(Date.now() + 3_600_000);
  expect(await blobsOf('default')).toEqual([]);
  await problemOf(await on.call('GET', pathOf(second, 'a')), 404, 'not_found');
});

test('what a crash left behind is swept, what belongs to a run stays', async () => {
  const run = await runWith({ a: Buffer.from('x') });
  const orphans = Array.from({ length: 5 }, () => newId('run'));
  for (const id of orphans) await on.gateway.blobs.put(artifactKey('gone', id, 1, 0), Buffer.from('x'));
  await on.gateway.blobs.put(artifactKey('default', newId('run'), 1, 0), Buffer.from('x'));
  const sweep = createBlobSweep(on.gateway);
  await sweep(Date.now());
  expect(await blobsOf('gone')).toEqual([]);
  expect(await blobsOf('default')).toEqual([run.id]);
  // Not again at once: a listing of all is dear.
  await on.gateway.blobs.put(artifactKey('default', 'run_new', 1, 0), Buffer.from('x'));
  await sweep(Date.now() + 60_000);
  expect(await blobsOf('default')).toContain('run_new');
  await sweep(Date.now() + 2 * 3_600_000);
  expect(await blobsOf('default')).toEqual([run.id]);
});

test('a file on its way to a service is left to those who move it, and swept when they are gone', async () => {
  const key = transferKey('default', newId('trf'));
  await on.gateway.blobs.put(key, Buffer.from('x'));
  await createBlobSweep(on.gateway)(Date.now());
  expect(await on.gateway.blobs.get(key).then((bytes) => bytes?.toArray())).toEqual([Buffer.from('x')]);
  await createBlobSweep(on.gateway)(Date.now() + 2 * 3_600_000);
  expect(await on.gateway.blobs.get(key)).toBeUndefined();
});
