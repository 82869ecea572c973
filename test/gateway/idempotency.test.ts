import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { digestOf } from '../../shared/secrets.ts';
import { problemOf, runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_TENANT_MAX_RUNS: '30' });
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };
const key = (name: string) => ({ 'idempotency-key': name });
const idsOf = async () =>
  ((await (await on.call('GET', '/v1/runs?limit=100')).json()) as { data: Run[] }).data.map(({ id }) => id);

test('the same key and body replay the first answer, quoted or bare', async () => {
  const first = await on.call('POST', '/v1/runs', image, key('k1'));
  expect(first.headers.get('idempotent-replayed')).toBeNull();
  const text = await first.text();
  const run = JSON.parse(text) as Run;
  await actAsWorker(on).perform(run.id);
  for (const spelling of ['k1', '"k1"']) {
    const again = await on.call('POST', '/v1/runs', image, key(spelling));
    expect(again.status).toBe(202);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('location')).toBe(`/v1/runs/${run.id}`);
    expect(await again.text()).toBe(text);
  }
  expect((await idsOf()).filter((id) => id === run.id)).toHaveLength(1);
});

test('an escaped quote in a quoted key', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', image, key('"a\\"b"')), 202);
  expect((await runOf(await on.call('POST', '/v1/runs', image, key('"a\\"b"')), 202)).id).toBe(run.id);
});

test('a finished answer is replayed as 200', async () => {
  const headers = { ...key('k-wait'), prefer: 'wait=30' };
  const answer = on.call('POST', '/v1/runs', { ...image, metadata: { n: 'k-wait' } }, headers);
  const id = await until(async () => {
    const { data } = (await (await on.call('GET', '/v1/runs?metadata.n=k-wait')).json()) as { data: Run[] };
    return data[0]?.id;
  });
  await actAsWorker(on).perform(id);
  const text = JSON.stringify(await runOf(await answer, 200));
  const again = await on.call('POST', '/v1/runs', { ...image, metadata: { n: 'k-wait' } }, headers);
  expect([again.status, await again.text()]).toEqual([200, text]);
});

test('the same key with another body, or on another route, is 422', async () => {
  await runOf(await on.call('POST', '/v1/runs', image, key('k2')), 202);
  await problemOf(
    await on.call('POST', '/v1/runs', { image: 'busybox' }, key('k2')),
    422,
    'idempotency_mismatch',
  );
  await problemOf(
    await on.call('POST', '/v1/runs/batch', { runs: [image] }, key('k2')),
    422,
    'idempotency_mismatch',
  );
});

test('while the first request is in progress the same key is 409', async () => {
  const headers = { ...key('k3'), prefer: 'wait=30' };
  const body = { ...image, metadata: { n: 'k3' } };
  const answer = on.call('POST', '/v1/runs', body, headers);
  const id = await until(async () => {
    const { data } = (await (await on.call('GET', '/v1/runs?metadata.n=k3')).json()) as { data: Run[] };
    return data[0]?.id;
  });
  const refused = await on.call('POST', '/v1/runs', body, headers);
  expect(refused.headers.get('retry-after')).toBe('1');
  await problemOf(refused, 409, 'idempotency_in_progress');
  await actAsWorker(on).perform(id);
  await runOf(await answer, 200);
});

test('twenty at once make one run', async () => {
  const before = (await idsOf()).length;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => on.call('POST', '/v1/runs', image, key('k-race'))),
  );
  for (const answer of answers) expect([202, 409]).toContain(answer.status);
  expect(answers.some(({ status }) => status === 202)).toBe(true);
  expect((await idsOf()).length).toBe(before + 1);
});

test('a refused request leaves the key free', async () => {
  await problemOf(await on.call('POST', '/v1/runs', { nope: 1 }, key('k4')), 400, 'validation_failed');
  await runOf(await on.call('POST', '/v1/runs', image, key('k4')), 202);
});

test('a gateway that died after it stored the run: the retry finds the run, and makes no second', async () => {
  // What a request does before it dies: the key is taken, the run is stored, no answer is kept.
  const body = { ...image, metadata: { n: 'k5' } };
  const text = JSON.stringify(body);
  await on.gateway.idempotency.begin('default', 'k5', `/v1/runs\n${text}`);
  const dead = await runOf(await on.call('POST', '/v1/runs', body), 202);
  const record = on.keys.idempotency('default', digestOf('k5'));
  await on.redis.hset(record, 'run', dead.id);
  await problemOf(await on.call('POST', '/v1/runs', text, key('k5')), 409, 'idempotency_in_progress');
  await on.redis.hset(record, 'leaseUntil', Date.now() - 1);

  const before = (await idsOf()).length;
  const response = await on.call('POST', '/v1/runs', text, key('k5'));
  expect(response.headers.get('location')).toBe(`/v1/runs/${dead.id}`);
  expect((await runOf(response, 202)).id).toBe(dead.id);
  expect((await idsOf()).length).toBe(before);
  const replay = await on.call('POST', '/v1/runs', text, key('k5'));
  expect(replay.headers.get('idempotent-replayed')).toBe('true');
  expect((await runOf(replay, 202)).id).toBe(dead.id);
});

test('… and when that run has ended by then, a wait answers with it at once', async () => {
  const body = JSON.stringify(image);
  await on.gateway.idempotency.begin('default', 'k6', `/v1/runs\n${body}`);
  const dead = await runOf(await on.call('POST', '/v1/runs', image), 202);
  await actAsWorker(on).perform(dead.id);
  const record = on.keys.idempotency('default', digestOf('k6'));
  await on.redis.hset(record, 'run', dead.id, 'leaseUntil', Date.now() - 1);
  const run = await runOf(await on.call('POST', '/v1/runs', body, { ...key('k6'), prefer: 'wait=60' }), 200);
  expect(run).toMatchObject({ id: dead.id, status: 'succeeded', stdout: 'hello\n' });
});

test('an answer too large to be kept is made again from the run', async () => {
  const headers = { ...key('k7'), prefer: 'wait=30' };
  const body = { ...image, metadata: { n: 'k7' } };
  const answer = on.call('POST', '/v1/runs', body, headers);
  const id = await until(async () => {
    const { data } = (await (await on.call('GET', '/v1/runs?metadata.n=k7')).json()) as { data: Run[] };
    return data[0]?.id;
  });
  const worker = actAsWorker(on);
  const holder = await worker.start(id);
  for (let i = 0; i < 5; i++) await worker.out(holder, 'y'.repeat(60_000));
  await worker.finish(holder);
  const run = await runOf(await answer, 200);
  expect(run.stdout).toHaveLength(300_000);
  const again = await on.call('POST', '/v1/runs', body, headers);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(await runOf(again, 200)).toEqual(run);
});

test('a batch is replayed, and taken over run by run', async () => {
  const body = { runs: [image, { nope: 1 }, { ...image, priority: 5 }] };
  const first = await (await on.call('POST', '/v1/runs/batch', body, key('b1'))).text();
  const again = await on.call('POST', '/v1/runs/batch', body, key('b1'));
  expect(again.status).toBe(207);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(await again.text()).toBe(first);

  // As if the gateway had died after the runs were stored.
  const record = on.keys.idempotency('default', digestOf('b1'));
  await on.redis.hdel(record, 'status', 'answer', 'location');
  await on.redis.hset(record, 'leaseUntil', Date.now() - 1);
  const taken = await on.call('POST', '/v1/runs/batch', body, key('b1'));
  expect(taken.headers.get('idempotent-replayed')).toBeNull();
  const ids = (text: string) =>
    (JSON.parse(text) as { results: { id?: string }[] }).results.map(({ id }) => id);
  expect(ids(await taken.text())).toEqual(ids(first));
});

test('over its quota the tenant hears 429, and the key is free again', async () => {
  const open: string[] = [];
  let refused: Response | undefined;
  for (let i = 0; refused === undefined; i++) {
    const response = await on.call('POST', '/v1/runs', image, key(`q${i}`));
    if (response.status === 202) open.push(((await response.json()) as Run).id);
    else refused = response;
    expect(i).toBeLessThan(40);
  }
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  await problemOf(refused, 429, 'quota_exceeded');
  const name = `q${open.length}`;
  await problemOf(await on.call('POST', '/v1/runs', image, key(name)), 429, 'quota_exceeded');
  await on.call('POST', `/v1/runs/${open[0]}/cancel`);
  await runOf(await on.call('POST', '/v1/runs', image, key(name)), 202);
});
