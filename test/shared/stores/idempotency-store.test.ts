import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { createIdempotencyStore } from '../../../services/gateway/stores/idempotency.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { digestOf as digest, sealerFor } from '../../../shared/secrets.ts';

// What a tenant's Idempotency-Keys take in Redis has a bound: in number, and in bytes of the answers that are kept.

const redis = connectRedis(inject('lab').redisUrl, 'loop', createLog('test', 'silent'));
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const sealer = sealerFor('a key of the test’s own');
const store = createIdempotencyStore(redis, keys, sealer, { keys: 3, answersBytes: () => 2_500 });
const tenant = 'default';
const dayMs = 24 * 3_600_000;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
  const all = await redis.keys(`${keys.base}*`);
  if (all.length > 0) await redis.del(...all);
});
afterEach(() => vi.useRealTimers());
afterAll(() => closeRedis(redis));

const later = (ms = 1) => vi.setSystemTime(Date.now() + ms);
const begin = async (key: string, of = tenant) => {
  later();
  return store.begin(of, key, `the request of ${key}`);
};
async function answered(key: string, body = 'x', of = tenant) {
  expect(await begin(key, of)).toBeUndefined();
  await store.complete(of, key, { status: 202, body, location: `/v1/runs/${key}` });
}
const records = async () => (await redis.keys(`${keys.base}:idem:*`)).length;
const counted = async () => Number(await redis.get(keys.idempotencyBytes(tenant)));

test('of more than there may be the oldest is forgotten, of this tenant alone', async () => {
  await answered('theirs', 'x', 'acme');
  for (const key of ['a', 'b', 'c', 'd']) await answered(key);
  expect(await records()).toBe(4);
  for (const key of ['b', 'c', 'd'])
    expect(await begin(key)).toEqual({ status: 202, body: 'x', location: `/v1/runs/${key}` });
  expect(await begin('theirs', 'acme')).toMatchObject({ status: 202 });
  // As if it had never been.
  expect(await begin('a')).toBeUndefined();
  expect(await records()).toBe(4);
});

test('one whose request is in progress is not forgotten: the next is refused until it is answered, or was given up', async () => {
  for (const key of ['a', 'b', 'c']) expect(await begin(key)).toBeUndefined();
  await expect(begin('d')).rejects.toMatchObject({ code: 'quota_exceeded', retryAfterSeconds: 1 });
  await expect(begin('a')).rejects.toMatchObject({ code: 'idempotency_in_progress' });
  await store.complete(tenant, 'a', { status: 202, body: 'x' });
  expect(await begin('d')).toBeUndefined();
  await expect(begin('e')).rejects.toMatchObject({ code: 'quota_exceeded' });
  await store.release(tenant, 'b');
  expect(await begin('e')).toBeUndefined();
  // Longer than any request takes.
  later(80_000);
  expect(await begin('f')).toBeUndefined();
  expect(await records()).toBe(3);
});

test('of more bytes than there may be the oldest answers are not kept word for word', async () => {
  for (const key of ['a', 'b', 'c']) await answered(key, key.repeat(1_000));
  expect(await begin('a')).toEqual({ status: 202, body: undefined, location: '/v1/runs/a' });
  for (const key of ['b', 'c']) expect(await begin(key)).toMatchObject({ body: key.repeat(1_000) });
  const lengths = await Promise.all(
    ['a', 'b', 'c'].map((key) => redis.hstrlen(keys.idempotency(tenant, digest(key)), 'sealed')),
  );
  expect(lengths[0]).toBe(0);
  expect(await counted()).toBe(lengths.reduce((sum, one) => sum + one, 0));
  // One that is too much by itself.
  await answered('d', 'd'.repeat(3_000));
  expect(await begin('d')).toMatchObject({ status: 202, body: undefined });
  expect(await counted()).toBe(0);
});

test('what is forgotten counts no more: the oldest of too many, and what is older than a day', async () => {
  for (const key of ['a', 'b', 'c', 'd']) await answered(key, 'x');
  const each = await redis.hstrlen(keys.idempotency(tenant, digest('d')), 'sealed');
  expect([await counted(), await redis.zcard(keys.idempotencyAnswers(tenant))]).toEqual([3 * each, 3]);
  for (const key of ['b', 'c', 'd']) await redis.del(keys.idempotency(tenant, digest(key)));
  later(dayMs);
  await answered('e', 'x');
  expect(await counted()).toBe(each);
  for (const index of [keys.idempotencyIndex(tenant), keys.idempotencyAnswers(tenant)])
    expect(await redis.zcard(index)).toBe(1);
  for (const key of await redis.keys(`${keys.base}*`)) expect(await redis.pttl(key), key).toBeGreaterThan(0);
});

test('an answer that comes when its key is forgotten leaves nothing', async () => {
  expect(await begin('a')).toBeUndefined();
  await store.release(tenant, 'a');
  await store.complete(tenant, 'a', { status: 202, body: 'x' });
  expect(await records()).toBe(0);
});
