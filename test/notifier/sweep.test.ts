import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createDeliveryQueue, type DeliveryQueue } from '../../services/notifier/delivery-queue.ts';
import { createReceivers } from '../../services/notifier/receivers.ts';
import { createSweep } from '../../services/notifier/sweep.ts';
import { newId } from '../../shared/ids.ts';
import { createLog } from '../../shared/log.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { createDeliveryStore, type Recipient } from '../../shared/stores/deliveries.ts';
import { redisOf } from './support/redis.ts';

/** What is kept of deliveries that have ended, and for how long; and that none that is pending lies forgotten. */
const lab = inject('lab');
const tenant = 'default';
const log = createLog('test', 'silent');
const hour = 3_600_000;

let connection: ReturnType<typeof redisOf>;
let store: ReturnType<typeof createDeliveryStore>;
let queue: DeliveryQueue;
const prefix = `t${randomBytes(5).toString('hex')}`;

beforeEach(() => {
  connection = redisOf(lab.redisUrl, prefix);
  const { redis, keys } = connection;
  store = createDeliveryStore(redis, keys, sealerFor(randomBytes(32).toString('base64')));
  queue = createDeliveryQueue({
    redis,
    keys,
    concurrency: 1,
    lockMs: 10_000,
    deliver: async () => undefined,
    log,
  });
});
afterEach(async () => {
  await queue.close(0, async () => {});
  const left = await connection.redis.keys(`${connection.keys.base}*`);
  if (left.length > 0) await connection.redis.del(...left);
  connection.redis.disconnect();
});

type Retention = Parameters<typeof createSweep>[0]['retention'];
const everything: Retention = { ms: 1_000 * hour, deliveries: 1_000_000, bytes: 2 ** 40 };
const sweepWith = (retention: Partial<Retention> = {}) =>
  createSweep({
    deliveries: store,
    queue,
    receivers: createReceivers({ places: 1, maxActive: 1, recall: () => {} }),
    retention: { ...everything, ...retention },
    log,
  });

const endpoint = newId('whk');
const own: Recipient = { url: 'https://a.example/', secret: 'whsec_x' };
const registered: Recipient = { endpoint, url: 'https://b.example/' };

/** An event of a run, with one delivery for each receiver. */
const publish = (recipients: Recipient[], body = 'x'.repeat(100)) =>
  store.publish({ tenant, type: 'run.finished', runId: newId('run'), body }, recipients);

let tries = 0;
/** One like no other: the same again would be taken for a message that was sent twice. */
const attempt = () => {
  tries += 1;
  return { at: new Date().toISOString(), durationMs: tries, statusCode: 200, error: null, response: null };
};

async function end(id: string | undefined, outcome: 'delivered' | 'failed' = 'delivered'): Promise<void> {
  const delivery = await store.read(id ?? '');
  if (delivery === undefined) throw new Error('it is not there');
  await store.settle(delivery, { outcome, attempt: attempt() });
}

/** Names of our own keys, without the queue's. */
async function keysLeft(): Promise<string[]> {
  const { base } = connection.keys;
  const all = await connection.redis.keys(`${base}*`);
  return all
    .map((key) => key.slice(base.length + 1))
    .filter((key) => !key.startsWith('bull'))
    .sort();
}

describe('what has ended', () => {
  test('long ago is forgotten, and nothing of it is left behind', async () => {
    const ids = await publish([own, registered, registered]);
    expect((await keysLeft()).length).toBeGreaterThan(8);
    await end(ids[0], 'delivered');
    await end(ids[1], 'failed');
    await end(ids[2], 'delivered');
    await sweepWith({ ms: hour }).sweep(Date.now() + hour - 10_000);
    expect(await Promise.all(ids.map((id) => store.read(id)))).not.toContain(undefined);
    await sweepWith({ ms: hour }).sweep(Date.now() + hour + 1);
    expect(await keysLeft()).toEqual(['stats']);
    expect(await connection.redis.hget(connection.keys.stats, 'eventBytes')).toBe('0');
    expect(await store.kept()).toEqual({ ended: 0, bytes: 0 });
  });

  test('takes its event’s body along only with the last delivery of it', async () => {
    const [one, other] = await publish([own, registered]);
    await end(one);
    const delivery = await store.read(other ?? '');
    if (delivery === undefined) throw new Error('it is not there');
    await sweepWith({ ms: hour }).sweep(Date.now() + 2 * hour);
    expect(await store.read(one ?? '')).toBeUndefined();
    expect(await store.body(delivery)).toBe('x'.repeat(100));
    expect(await store.kept()).toEqual({ ended: 0, bytes: 100 });
    await end(other, 'failed');
    await sweepWith({ ms: hour }).sweep(Date.now() + 2 * hour);
    expect(await keysLeft()).toEqual(['stats']);
  });

  test('is kept in so great a number and no greater, the newest', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 30; i += 1) ids.push(...(await publish([registered])));
    for (const id of ids) await end(id);
    await sweepWith({ deliveries: 12 }).sweep();
    const left = await store.ids(tenant, {}, undefined, 100);
    expect(left).toEqual(ids.slice(-12).reverse());
    expect(await store.ids(tenant, { endpoint }, undefined, 100)).toEqual(left);
    expect(await store.kept()).toEqual({ ended: 12, bytes: 1_200 });
    await sweepWith({ deliveries: 0 }).sweep();
    expect(await keysLeft()).toEqual(['stats']);
  });

  test('is kept up to so many bytes of events, and not much less', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 100; i += 1) ids.push(...(await publish([registered], 'y'.repeat(1_000))));
    for (const id of ids) await end(id);
    await sweepWith({ bytes: 100_000 }).sweep();
    expect(await store.kept()).toEqual({ ended: 100, bytes: 100_000 });
    await sweepWith({ bytes: 70_000 }).sweep();
    const { ended, bytes } = await store.kept();
    expect(bytes).toBe(ended * 1_000);
    expect(ended).toBeLessThanOrEqual(70);
    expect(ended).toBeGreaterThan(50);
    expect(await store.ids(tenant, {}, undefined, 100)).toEqual(ids.slice(-ended).reverse());
  });

  test('is kept again from its new end when it was redelivered', async () => {
    const [id = ''] = await publish([own]);
    await end(id, 'failed');
    expect(await store.redeliver(id, tenant)).toBe(true);
    await sweepWith({ ms: hour, deliveries: 0, bytes: 0 }).sweep(Date.now() + 2 * hour);
    expect(await store.read(id)).toMatchObject({ status: 'pending' });
    expect(await store.ownSecret(id)).toBe('whsec_x');
    await end(id);
    await sweepWith({ ms: hour }).sweep();
    expect(await store.read(id)).toMatchObject({ status: 'delivered' });
    await sweepWith({ ms: hour }).sweep(Date.now() + 2 * hour);
    expect(await keysLeft()).toEqual(['stats']);
  });
});

test('what is pending is never forgotten, whatever the bounds', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 20; i += 1) ids.push(...(await publish([own, registered])));
  for (const id of ids.slice(0, 10)) await end(id);
  await sweepWith({ ms: 1, deliveries: 0, bytes: 0 }).sweep(Date.now() + 1_000 * hour);
  expect(await store.ids(tenant, {}, undefined, 100)).toEqual(ids.slice(10).reverse());
  expect(await store.pendingCount()).toBe(30);
  for (const id of ids.slice(10)) {
    const delivery = await store.read(id);
    expect(delivery && (await store.body(delivery))).toHaveLength(100);
  }
});

describe('what is due and pending', () => {
  const job = (id: string) => `${connection.keys.bull}:deliveries:${id}`;
  const present = async (ids: string[]) =>
    (await Promise.all(ids.map((id) => connection.redis.exists(job(id))))).filter((one) => one === 1).length;

  test('gets a job when it has none, though not at once, and never two', async () => {
    const ids = await publish([own, registered]);
    await sweepWith().sweep();
    expect(await present(ids)).toBe(0);
    const later = Date.now() + 10_000;
    await sweepWith().sweep(later);
    expect(await present(ids)).toBe(2);
    await sweepWith().sweep(later);
    expect(await connection.redis.llen(`${connection.keys.bull}:deliveries:wait`)).toBe(2);
  });

  test('gets one although thousands before it have theirs and wait for a receiver that hangs', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 50; i += 1) ids.push(...(await publish(Array(50).fill(registered), 'z')));
    await queue.add(ids.map((id) => ({ id, delayMs: 60_000 })));
    const [lost = ''] = await publish([own]);
    const sweep = sweepWith();
    for (let turn = 0; turn < 2; turn += 1) await sweep.sweep(Date.now() + 10_000);
    expect(await present([lost])).toBe(1);
    // And over again from the first.
    await connection.redis.del(job(ids[0] ?? ''));
    for (let turn = 0; turn < 2; turn += 1) await sweep.sweep(Date.now() + 10_000);
    expect(await present([ids[0] ?? ''])).toBe(1);
  });

  test('is brought forward when its job waits for a time that was meant before; a receiver that is busy is not disturbed', async () => {
    const [redelivered = '', busy = ''] = await publish([own, registered]);
    await queue.add([
      { id: redelivered, delayMs: 24 * hour },
      { id: busy, delayMs: 300_000 },
    ]);
    await sweepWith().sweep(Date.now() + 10_000);
    const delayed = await connection.redis.zrange(`${connection.keys.bull}:deliveries:delayed`, '0', '-1');
    expect(delayed).toEqual([busy]);
    expect(await connection.redis.lrange(`${connection.keys.bull}:deliveries:wait`, 0, -1)).toEqual([
      redelivered,
    ]);
  });
});
