import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sseReader } from './sse.ts';
import { type Call, problemOf, runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

/** A Redis of this file's own: it is killed and started again. */
let folder: string;
let redis: ChildProcess;
let on: TestGateway;
let call: Call;

const start = () =>
  spawn(
    'redis-server',
    [
      '--port',
      '0',
      '--unixsocket',
      join(folder, 'redis.sock'),
      '--dir',
      folder,
      '--save',
      '',
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
    ],
    { stdio: 'ignore' },
  );
const kill = () =>
  new Promise<void>((resolve) => {
    redis.once('exit', () => resolve());
    redis.kill('SIGKILL');
  });
const answers = () =>
  until(() =>
    on.redis.ping().then(
      () => true,
      () => false,
    ),
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gw-redis-'));
  redis = start();
  on = await startGateway({}, `unix://${join(folder, 'redis.sock')}`);
  call = on.call;
});
afterAll(async () => {
  await on.stop();
  await kill();
  await rm(folder, { recursive: true, force: true });
});

const image = { image: 'hello-world' };

test('without Redis every route says so at once, and what was stored is there when it is back', async () => {
  const stored = await runOf(await call('POST', '/v1/runs', image), 202);
  const streamed = await runOf(await call('POST', '/v1/runs', image), 202);
  const stream = sseReader(await call('GET', `/v1/runs/${streamed.id}/events`));
  await stream.next();
  const waiting = call('POST', '/v1/runs', image, { prefer: 'wait=60' });
  const waited = await until(async () => {
    const { data } = (await (await call('GET', '/v1/runs')).json()) as { data: { id: string }[] };
    return data[0]?.id === streamed.id ? undefined : data[0]?.id;
  });
  await kill();

  for (const [method, path, body] of [
    ['POST', '/v1/runs', image],
    ['POST', '/v1/runs', image],
    ['GET', '/v1/runs', undefined],
    ['GET', `/v1/runs/${stored.id}`, undefined],
    ['POST', `/v1/runs/${stored.id}/cancel`, undefined],
    ['DELETE', `/v1/runs/${stored.id}`, undefined],
    ['GET', `/v1/runs/${stored.id}/events`, undefined],
    ['GET', '/v1/workers', undefined],
    ['GET', '/v1/images', undefined],
    ['POST', '/v1/images/pull', image],
    ['PUT', '/v1/registries/x.example', { username: 'a', password: 'b' }],
    ['GET', '/readyz', undefined],
    ['GET', '/metrics', undefined],
  ] as const) {
    for (const headers of [{}, { prefer: 'wait=30', 'idempotency-key': 'k' }]) {
      const response = await call(method, path, body, headers as Record<string, string>);
      expect(response.headers.get('retry-after'), `${method} ${path}`).toMatch(/^\d+$/);
      await problemOf(response, 503, 'store_unavailable');
    }
  }
  const batch = await call('POST', '/v1/runs/batch', { runs: [image, {}] });
  expect(await batch.json()).toMatchObject({
    results: [{ code: 'store_unavailable' }, { code: 'validation_failed' }],
  });
  expect((await fetch(`${on.url}/healthz`)).status).toBe(200);

  redis = start();
  await answers();
  expect((await runOf(await call('GET', `/v1/runs/${stored.id}`), 200)).status).toBe('queued');
  const worker = actAsWorker(on);
  // Who waited and who followed have lost nothing.
  await worker.perform(waited);
  expect((await runOf(await waiting, 200)).id).toBe(waited);
  await worker.perform(streamed.id);
  expect((await stream.all()).map(({ event }) => event)).toEqual(['status', 'stdout', 'exit']);
});

test('a Redis that hangs makes no one hang for ever, and readiness answers meanwhile', async () => {
  redis.kill('SIGSTOP');
  try {
    await problemOf(await fetch(`${on.url}/readyz`), 503, 'store_unavailable');
    await problemOf(await call('GET', '/v1/runs'), 503, 'store_unavailable');
  } finally {
    redis.kill('SIGCONT');
  }
  await answers();
});

test('a Redis that refuses to write is told as the store’s fault', async () => {
  await on.redis.config('SET', 'maxmemory', '1mb');
  await problemOf(await call('POST', '/v1/runs', image), 503, 'store_unavailable');
  await on.redis.config('SET', 'maxmemory', '0');
  await runOf(await call('POST', '/v1/runs', image), 202);
});
