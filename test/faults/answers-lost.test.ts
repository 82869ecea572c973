import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { createRunQueue as gatewayQueue } from '../../services/gateway/run-queue.ts';
import { createRunQueue } from '../../services/worker/intake/run-queue.ts';
import { newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis, type RedisConnection } from '../../shared/redis.ts';
import { kindOf, outlineOf } from '../../shared/run-plan.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { createDeliveryStore, type NewEvent, type StoredDelivery } from '../../shared/stores/deliveries.ts';
import { createOutboxStore } from '../../shared/stores/outbox.ts';
import { emptyState } from '../../shared/stores/run-record.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { createWebhookStore, maxWebhooks } from '../../shared/stores/webhooks.ts';
import { newWebhookSecret } from '../../shared/webhooks/signature.ts';
import { runRequest } from '../support/run-request.ts';
import { type LossyLine, startLossyLine } from './lossy-line.ts';

// A client whose connection breaks sends anew what was not answered. Redis may have done it all the same: everything here happens twice.

const lab = inject('lab');
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const sealer = sealerFor('a key of the test’s own');
const log = createLog('test', 'silent');

let line: LossyLine;
let direct: RedisConnection;
/** As the worker and the notifier are connected, and as the gateway is. */
let loop: RedisConnection;
let request: RedisConnection;

beforeAll(async () => {
  line = await startLossyLine(lab.redisUrl);
  direct = connectRedis(lab.redisUrl, 'loop', log);
  loop = connectRedis(line.url, 'loop', log);
  request = connectRedis(line.url, 'request', log);
});
beforeEach(async () => {
  const all = await direct.keys(`${keys.base}*`);
  if (all.length > 0) await direct.del(...all);
  while (request.status !== 'ready') await sleep(10);
});
let lostBefore = 0;
afterEach(() => {
  // Otherwise a test has shown nothing.
  expect(line.lost()).toBe(lostBefore + 1);
  lostBefore = line.lost();
});
afterAll(async () => {
  for (const connection of [direct, loop, request]) connection.disconnect();
  await line.stop();
});

/** The act, whose first answer is lost. */
async function unheard<T>(act: () => Promise<T>): Promise<T> {
  line.loseNext();
  return act();
}

const stores = (redis: RedisConnection) => ({
  runs: createRunStore(redis, keys, sealer),
  outbox: createOutboxStore(redis, keys, sealer),
  deliveries: createDeliveryStore(redis, keys, sealer),
  webhooks: createWebhookStore(redis, keys, sealer),
});
const see = () => stores(direct);
const stat = async (name: string) => Number(await direct.hget(keys.stats, name));

const bounds = { maxTenantRuns: 2, maxRuns: 2, maxDeliveries: 2 };

function store(redis: RedisConnection, idempotency?: { digest: string; field: string }) {
  const id = newId('run');
  const now = new Date();
  const webhook = { url: 'https://own.example/', secret: newWebhookSecret() };
  const head = { id, tenant: 'default', createdAt: now.toISOString(), dueAt: now.getTime() };
  const request = runRequest.parse({ image: 'busybox', webhook });
  return stores(redis).runs.create(head, request, bounds, { ...(idempotency && { idempotency }) });
}
const create = async (redis: RedisConnection) => (await store(redis)).id;
async function end(redis: RedisConnection, id: string): Promise<void> {
  const record = await see().runs.read(id);
  if (record === undefined) throw new Error('the run is gone');
  await stores(redis).runs.endUnheld(record, 'cancelled', {});
}

const event: NewEvent = { tenant: 'default', type: 'webhook.test', runId: undefined, body: '{}' };
const toOwn = () => ({ url: 'https://own.example/', secret: newWebhookSecret() });
async function published(): Promise<StoredDelivery> {
  const [id = ''] = await see().deliveries.publish(event, [toOwn()]);
  const one = await see().deliveries.read(id);
  if (one === undefined) throw new Error('nothing was published');
  return one;
}
const attempt = () => ({
  at: new Date().toISOString(),
  durationMs: 1,
  statusCode: 500,
  error: { code: 'status' as const, message: 'The receiver answered 500' },
  response: null,
});

// Redis must know the scripts, or it is the answer to an unknown SHA-1 that is lost.
test('a try that failed counts as one', async () => {
  const [one, other] = [await published(), await published()];
  const nextAt = Date.now() + 60_000;
  await see().deliveries.settle(other, { outcome: 'retry', attempt: attempt(), nextAt });
  const settlement = { outcome: 'retry', attempt: attempt(), nextAt } as const;
  const { deliveries } = stores(loop);
  expect(await unheard(() => deliveries.settle(one, settlement))).toBe('pending');
  const now = await see().deliveries.read(one.id);
  expect(now).toMatchObject({ status: 'pending', tries: 1, nextAt });
  expect((await see().deliveries.present(one)).attempts).toHaveLength(1);
  expect(await stat('attempts')).toBe(2);
});

test('a delivery arrived once', async () => {
  const [one, other] = [await published(), await published()];
  await see().deliveries.settle(other, { outcome: 'delivered', attempt: attempt() });
  const settlement = { outcome: 'delivered', attempt: attempt() } as const;
  const { deliveries } = stores(loop);
  expect(await unheard(() => deliveries.settle(one, settlement))).toBe('delivered');
  expect((await see().deliveries.present(one)).attempts).toHaveLength(1);
  expect([await stat('attempts'), await stat('deliveries:delivered')]).toEqual([2, 2]);
});

test('an event is there once, and its bytes are counted once', async () => {
  await published();
  const { deliveries } = stores(request);
  const ids = await unheard(() => deliveries.publish(event, [toOwn()], { streamed: true }));
  expect(ids).toHaveLength(1);
  expect(await see().deliveries.kept()).toEqual({ ended: 0, bytes: 2 * event.body.length });
  expect(await direct.xlen(keys.tenantEvents('default'))).toBe(1);
  expect(await stat('events:webhook.test')).toBe(2);
});

test('who made deliveries of what was in the outbox knows their ids', async () => {
  await published();
  const runId = await create(direct);
  await end(direct, runId);
  const { deliveries } = stores(loop);
  const ids = await unheard(() =>
    deliveries.publish({ ...event, runId }, [toOwn()], { outboxMember: runId }),
  );
  expect(await see().deliveries.ids('default', { run: runId }, undefined, 10)).toEqual(ids);
});

test('a run ends once, and its event is due once', async () => {
  await end(direct, await create(direct));
  const id = await create(direct);
  await unheard(() => end(loop, id));
  expect(await see().runs.status(id)).toBe('cancelled');
  expect(await stat('runs:cancelled')).toBe(2);
  expect(await see().outbox.size()).toBe(2);
  expect(await direct.zcard(keys.open)).toBe(0);
});

test('a run is claimed once: no attempt of it counts as lost', async () => {
  await see().runs.claim(await create(direct), 'w0');
  const id = await create(direct);
  const claim = await unheard(() => stores(loop).runs.claim(id, 'w1', emptyState));
  expect(claim).toMatchObject({ verdict: 'claimed', attempt: 1 });
  const holder = { runId: id, tenant: 'default', attempt: 1, worker: 'w1' };
  expect(await see().runs.verdicts([holder])).toEqual(['held']);
  // One event for each of the two moves: it was stored, it runs.
  expect(await direct.xlen(keys.events(id))).toBe(2);
  // It is really lost when it is claimed once more.
  expect(await see().runs.claim(id, 'w1', emptyState)).toMatchObject({ verdict: 'lost' });
});

test('a run whose job was fetched is claimed once, and its job is held', async () => {
  const ahead = connectRedis(line.url, 'loop', log);
  const queue = createRunQueue({
    redis: direct,
    ahead,
    claims: see().runs,
    claimsAhead: stores(ahead).runs,
    keys,
    workerId: 'w1',
    log,
    lockMs: 10_000,
    onLockLost: () => {},
  });
  const adding = gatewayQueue(direct, keys, log);
  await queue.open();
  try {
    const nothing = () => ({ starts: [], most: 1 });
    // Redis must know the scripts; and it takes a first look to know that nobody is there.
    await adding.add({ id: 'none', priority: 50, delayMs: 0 });
    await (await queue.next(nothing))?.job.complete();
    await queue.next(nothing);
    const request = runRequest.parse({ image: 'busybox' });
    const now = new Date();
    const head = { id: newId('run'), tenant: 'default', createdAt: now.toISOString(), dueAt: now.getTime() };
    const outline = outlineOf({ ...head, request });
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    line.loseNext();
    const came = queue.next(() => {
      resolve();
      return { starts: [{ kind: kindOf(outline), warm: 1, state: emptyState }], most: 1 };
    });
    await asked;
    await see().runs.create(head, request, bounds, { job: { id: head.id, outline } });
    const fetched = await came;
    expect(fetched).toMatchObject({ job: { runId: head.id }, running: true });
    expect(fetched?.claim).toMatchObject({ verdict: 'claimed', attempt: 1, head: { id: head.id } });
    // One event for each of the two moves: it was stored, it runs.
    expect(await direct.xlen(keys.events(head.id))).toBe(2);
    expect(await direct.lrange(`${keys.bull}:runs:active`, 0, -1)).toEqual([head.id]);
    await fetched?.job.complete();
    expect(await adding.having([head.id])).toEqual(new Set());
  } finally {
    await queue.close();
    await adding.close();
  }
});

test('a run goes on to the next state once', async () => {
  const [other, id] = [await create(direct), await create(direct)];
  for (const one of [other, id]) await see().runs.claim(one, 'w1');
  const holderOf = (runId: string) => ({ runId, tenant: 'default', attempt: 1, worker: 'w1' });
  await see().runs.move(holderOf(other), 'running', emptyState);
  const { runs } = stores(loop);
  expect(await unheard(() => runs.move(holderOf(id), 'running', emptyState))).toBe('moved');
  expect(await direct.xlen(keys.events(id))).toBe(2);
});

test('the last run that there is room for is stored, and not refused as well', async () => {
  const before = await create(direct);
  const id = await unheard(() => create(request));
  expect((await see().runs.ids('default', undefined, 10)).sort()).toEqual([before, id].sort());
  expect(await direct.xlen(keys.events(id))).toBe(1);
});

test('a run that was stored under a key is new to the one who stored it', async () => {
  const key = { digest: 'd', field: 'run' };
  await store(direct, key);
  const stored = await unheard(() => store(request, { ...key, digest: 'other' }));
  expect(stored.outcome).toBe('created');
});

test('the last endpoint that there is room for is made, and not refused as well', async () => {
  const wanted = { url: 'https://hooks.example/', events: ['run.finished' as const] };
  for (let i = 1; i < maxWebhooks; i += 1) await see().webhooks.create('default', wanted);
  const made = await unheard(() => stores(request).webhooks.create('default', wanted));
  expect(made).toMatchObject({ url: wanted.url });
  expect(await see().webhooks.list('default')).toHaveLength(maxWebhooks);
});

test('after a rotation the secret before it signs too, not the new one twice', async () => {
  const wanted = { url: 'https://hooks.example/', events: ['run.finished' as const] };
  const other = await see().webhooks.create('default', wanted);
  await see().webhooks.rotate(other?.id ?? '');
  const made = await see().webhooks.create('default', wanted);
  const rotated = await unheard(() => stores(request).webhooks.rotate(made?.id ?? ''));
  expect(await see().webhooks.secrets(made?.id ?? '')).toEqual([rotated?.secret, made?.secret]);
});
