import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import type { DeliveryAttempt, EventPattern } from '../../../shared/contracts/webhook.ts';
import { newId } from '../../../shared/ids.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { sealerFor } from '../../../shared/secrets.ts';
import {
  createDeliveryStore,
  type NewEvent,
  type Recipient,
  type StoredDelivery,
} from '../../../shared/stores/deliveries.ts';
import { createOutboxStore } from '../../../shared/stores/outbox.ts';
import { createRunStore } from '../../../shared/stores/runs.ts';
import { emptyServiceState } from '../../../shared/stores/service-record.ts';
import { createServiceStore } from '../../../shared/stores/services.ts';
import { createWebhookStore, maxWebhooks } from '../../../shared/stores/webhooks.ts';
import { newWebhookSecret } from '../../../shared/webhooks/signature.ts';
import { runRequest } from '../../support/run-request.ts';

const redis = connectRedis(inject('lab').redisUrl, 'loop', createLog('test', 'silent'));
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const sealer = sealerFor('a key of the test’s own');
const runs = createRunStore(redis, keys, sealer);
const webhooks = createWebhookStore(redis, keys, sealer);
const outbox = createOutboxStore(redis, keys, sealer);
const deliveries = createDeliveryStore(redis, keys, sealer);

const allKeys = () => redis.keys(`${keys.base}*`);
async function clear(): Promise<void> {
  const all = await allKeys();
  if (all.length > 0) await redis.del(...all);
}
beforeEach(clear);
afterAll(async () => {
  await clear();
  await closeRedis(redis);
});

const own = (secret = newWebhookSecret()): RunRequest['webhook'] => ({ url: 'https://own.example/', secret });
const register = async (tenant = 'default', events: EventPattern[] = ['run.finished']) => {
  const made = await webhooks.create(tenant, { url: 'https://hooks.example/', events });
  if (made === undefined) throw new Error('too many endpoints');
  return made;
};

async function create(
  webhook?: RunRequest['webhook'],
  { tenant = 'default', maxDeliveries = 1_000 } = {},
): Promise<string> {
  const request = runRequest.parse({ image: 'busybox', ...(webhook && { webhook }) });
  const now = new Date();
  const id = newId('run');
  await runs.create(
    { id, tenant, createdAt: now.toISOString(), dueAt: now.getTime() },
    request,
    { maxTenantRuns: 100, maxRuns: 100, maxDeliveries },
    undefined,
  );
  return id;
}

async function end(id: string): Promise<string> {
  const record = await runs.read(id);
  if (record === undefined || !(await runs.endUnheld(record, 'cancelled', {})))
    throw new Error('the run was not there to be ended');
  return id;
}

const eventOf = (runId: string | undefined, body = '{"type":"run.finished"}'): NewEvent => ({
  tenant: 'default',
  type: 'run.finished',
  runId,
  body,
});
const toOwn = (): Recipient => ({ url: 'https://own.example/', secret: newWebhookSecret() });

async function published(recipients: Recipient[] = [toOwn()], runId = newId('run')) {
  const ids = await deliveries.publish(eventOf(runId), recipients);
  return Promise.all(ids.map(read));
}
async function read(id: string): Promise<StoredDelivery> {
  const found = await deliveries.read(id);
  if (found === undefined) throw new Error(`${id} is gone`);
  return found;
}

let tries = 0;
/** No two tries are alike. */
const attempt = (statusCode: number): DeliveryAttempt => ({
  at: new Date(tries++).toISOString(),
  durationMs: 1,
  statusCode,
  error: statusCode < 300 ? null : { code: 'status', message: `The receiver answered ${statusCode}` },
  response: null,
});
const delivered = () => ({ outcome: 'delivered' as const, attempt: attempt(204) });
const failed = () => ({ outcome: 'failed' as const, attempt: attempt(500) });
const retry = (nextAt = Date.now() + 60_000) => ({
  outcome: 'retry' as const,
  attempt: attempt(500),
  nextAt,
});
const present = async (id: string) => deliveries.present(await read(id));

describe('the outbox', () => {
  test('an event becomes deliveries once, however many try at once', async () => {
    const endpoint = await register();
    const id = await end(await create(own()));
    const due = await outbox.due(id);
    expect(due).toMatchObject({ endpoints: [endpoint.id], own: { url: 'https://own.example/' } });
    const recipients: Recipient[] = [{ endpoint: endpoint.id, url: endpoint.url }, toOwn()];
    const made = await Promise.all(
      Array.from({ length: 20 }, () =>
        deliveries.publish(eventOf(id), recipients, { outboxMember: id, streamed: true }),
      ),
    );
    // Who came too late has made nothing, and knows it.
    const [winner, ...more] = made.filter((ids) => ids.length > 0);
    expect(more).toEqual([]);
    expect((await deliveries.ids('default', { run: id }, undefined, 100)).sort()).toEqual(winner?.sort());
    expect(await deliveries.ids('default', {}, undefined, 100)).toHaveLength(2);
    expect(await deliveries.pendingCount()).toBe(2);
    const events = new Set((await Promise.all((winner ?? []).map(read))).map(({ event }) => event));
    expect(events.size).toBe(1);
    expect(await redis.xlen(keys.tenantEvents('default'))).toBe(1);
    expect(await outbox.size()).toBe(0);
    expect(await outbox.due(id)).toBeUndefined();
  });

  test('holds nothing of a run that nobody wants to hear of', async () => {
    await register('default', ['service.*']);
    await register('another');
    await end(await create());
    expect(await outbox.size()).toBe(0);
  });

  test('what is due at the end stays due, whatever becomes of subscriptions', async () => {
    const before = await register();
    const changed = await register('default', ['run.*']);
    const id = await create();
    const patched = await webhooks.find(changed.id);
    await end(id);
    if (patched === undefined) throw new Error('an endpoint is gone');
    await webhooks.update(patched, { events: ['service.*'] });
    await webhooks.update({ ...before, tenant: 'default' }, { enabled: false });
    await register();
    expect((await outbox.due(id))?.endpoints.sort()).toEqual([before.id, changed.id].sort());
    // The next run is for those who are subscribed then.
    const next = await end(await create());
    expect((await outbox.due(next))?.endpoints).toHaveLength(1);
  });

  test('a run that is forgotten before its event was made is gone for everybody, and deleted afterwards', async () => {
    const id = await end(await create(own()));
    expect(await runs.forget(id, 'default')).toBe('forgotten');
    expect(await runs.read(id)).toBeUndefined();
    expect(await runs.ids('default', undefined, 10)).toEqual([]);
    expect(await runs.forget(id, 'default')).toBe('gone');
    expect((await outbox.due(id))?.record.head.id).toBe(id);
    const [delivery = ''] = await deliveries.publish(eventOf(id), [toOwn()], { outboxMember: id });
    expect(await redis.keys(`${keys.run(id)}*`)).toEqual([keys.runDeliveries(id)]);
    expect(await redis.hget(keys.stats, 'retainedBytes')).toBe('0');
    await deliveries.settle(await read(delivery), delivered());
    await deliveries.drop(delivery);
    expect(await redis.keys(`${keys.run(id)}*`)).toEqual([]);
  });

  test('what cannot be made deliveries keeps no other waiting', async () => {
    const [first, second] = [await end(await create(own())), await end(await create(own()))];
    await outbox.postpone(first, 60_000);
    expect(await outbox.oldest(10)).toEqual([second]);
    expect(await outbox.size()).toBe(2);
    await outbox.discard(second);
    await outbox.postpone(second, 60_000);
    expect(await outbox.size()).toBe(1);
  });
});

describe('the quota', () => {
  const full = { code: 'quota_exceeded', retryAfterSeconds: 30 };
  const two = { maxDeliveries: 2 };

  test('counts deliveries that have not ended and events that wait, and frees what has ended', async () => {
    await end(await create(own(), two));
    const [pending] = await published();
    await expect(create(own(), two)).rejects.toMatchObject(full);
    if (pending === undefined) throw new Error('nothing was published');
    await deliveries.settle(pending, retry());
    await expect(create(own(), two)).rejects.toMatchObject(full);
    await deliveries.settle(await read(pending.id), failed());
    await create(own(), two);
  });

  test('is for runs that would make deliveries, and their tenants', async () => {
    await published([toOwn(), toOwn()]);
    await create(undefined, two);
    const others = await register('another');
    await create(undefined, two);
    await create(own(), { ...two, tenant: 'another' });
    await create(undefined, { ...two, tenant: 'another' });
    const endpoint = await register('default', ['*']);
    await expect(create(undefined, two)).rejects.toMatchObject(full);
    await webhooks.update({ ...endpoint, tenant: 'default' }, { enabled: false });
    await create(undefined, two);
    await webhooks.remove({ ...others, tenant: 'another' });
  });

  test('bounds endpoints too', async () => {
    const all = await Promise.all(Array.from({ length: maxWebhooks }, () => register()));
    expect(await webhooks.create('default', { url: 'https://one.example/', events: ['*'] })).toBeUndefined();
    await register('another');
    const [first] = all;
    if (first === undefined) throw new Error('no endpoint');
    await webhooks.remove({ ...first, tenant: 'default' });
    await register();
  });
});

describe('a delivery', () => {
  const outcomes = { delivered, failed, retry };
  type Outcome = keyof typeof outcomes;

  test.each<[before: Outcome[], then: Outcome, status: string, failures: number]>([
    [[], 'delivered', 'delivered', 0],
    [[], 'failed', 'failed', 0],
    [[], 'retry', 'pending', 1],
    [['retry'], 'retry', 'pending', 2],
    [['retry'], 'delivered', 'delivered', 1],
    [['retry'], 'failed', 'failed', 1],
    [['delivered'], 'failed', 'delivered', 0],
    [['delivered'], 'retry', 'delivered', 0],
    [['delivered'], 'delivered', 'delivered', 0],
    [['failed'], 'retry', 'failed', 0],
    [['failed'], 'failed', 'failed', 0],
    [['failed'], 'delivered', 'delivered', 0],
  ])('after %j, a try that ends as %s leaves it %s', async (before, then, status, failures) => {
    const [one] = await published();
    if (one === undefined) throw new Error('nothing was published');
    for (const outcome of before) await deliveries.settle(one, outcomes[outcome]());
    const nextAt = (await read(one.id)).nextAt;
    const last = outcomes[then]();
    expect(await deliveries.settle(one, last)).toBe(status);
    const now = await read(one.id);
    expect(now).toMatchObject({ status, tries: failures });
    // Every try is noted, also the one that changed nothing.
    expect((await present(one.id)).attempts).toHaveLength(before.length + 1);
    const pending = status === 'pending';
    expect(now.nextAt).toBe('nextAt' in last && pending ? last.nextAt : pending ? nextAt : undefined);
    expect(await redis.zscore(keys.pendingDeliveries, one.id)).toBe(pending ? String(now.nextAt) : null);
    expect(await redis.zcard(keys.tenantPending('default'))).toBe(pending ? 1 : 0);
    expect(await deliveries.ended(Number.POSITIVE_INFINITY, 10)).toEqual(pending ? [] : [one.id]);
  });

  test('of which the latest fifty tries are kept', async () => {
    const [one] = await published();
    if (one === undefined) throw new Error('nothing was published');
    for (let i = 0; i < 60; i += 1) await deliveries.settle(one, retry());
    const { attempts } = await present(one.id);
    expect(attempts).toHaveLength(50);
    expect(attempts.at(-1)?.at).toBe(new Date(tries - 1).toISOString());
    expect((await read(one.id)).tries).toBe(60);
  });

  test.each<Outcome>(['delivered', 'failed', 'retry'])('that is %s can be sent again', async (outcome) => {
    const [one] = await published();
    if (one === undefined) throw new Error('nothing was published');
    await deliveries.settle(one, outcomes[outcome]());
    const began = Date.now();
    expect(await deliveries.redeliver(one.id, 'default')).toBe(true);
    const again = await read(one.id);
    expect(again).toMatchObject({ status: 'pending', tries: 0, event: one.event, finishedAt: undefined });
    expect(again.nextAt).toBeGreaterThanOrEqual(began);
    expect(await deliveries.body(again)).toBe(eventOf(undefined).body);
    expect((await present(one.id)).attempts).toHaveLength(1);
    expect(await deliveries.overdue(Date.now() + 1, 10)).toEqual([one.id]);
    expect(await redis.zcard(keys.tenantPending('default'))).toBe(1);
    expect(await deliveries.ended(Number.POSITIVE_INFINITY, 10)).toEqual([]);
    // What waits is not forgotten.
    await deliveries.drop(one.id);
    expect(await deliveries.settle(again, delivered())).toBe('delivered');
  });

  test('that is gone is not sent again, and no late try makes anything of it', async () => {
    const [one] = await published();
    if (one === undefined) throw new Error('nothing was published');
    await deliveries.settle(one, delivered());
    await deliveries.drop(one.id);
    const before = await allKeys();
    expect(await deliveries.redeliver(one.id, 'default')).toBe(false);
    expect(await deliveries.settle(one, retry())).toBe('gone');
    expect(await allKeys()).toEqual(before);
  });

  test('takes the event’s body with it when it is the last one, and nothing stays', async () => {
    const endpoint = await register();
    const before = new Set([...(await allKeys()), keys.stats]);
    const [first, second] = await published([{ endpoint: endpoint.id, url: endpoint.url }, toOwn()]);
    if (first === undefined || second === undefined) throw new Error('nothing was published');
    expect(await deliveries.kept()).toEqual({ ended: 0, bytes: eventOf(undefined).body.length });
    await deliveries.settle(first, delivered());
    await deliveries.settle(second, failed());
    await deliveries.drop(first.id);
    expect(await deliveries.body(second)).toBe(eventOf(undefined).body);
    await deliveries.drop(second.id);
    expect(await deliveries.body(second)).toBeUndefined();
    expect(await deliveries.kept()).toEqual({ ended: 0, bytes: 0 });
    expect((await allKeys()).filter((key) => !before.has(key))).toEqual([]);
    await deliveries.drop(second.id);
    expect(await deliveries.kept()).toEqual({ ended: 0, bytes: 0 });
  });
});

describe('an endpoint', () => {
  test('that was disabled waits in the outbox once, and none that still works is disabled', async () => {
    const endpoint = await register();
    const stored = { ...endpoint, tenant: 'default' };
    const [one] = await published([{ endpoint: endpoint.id, url: endpoint.url }]);
    if (one === undefined) throw new Error('nothing was published');
    const since = Date.now();
    await deliveries.settle(one, delivered());
    expect(await webhooks.disable(stored, 'failing', since)).toBe(false);
    const later = Date.now() + 1_000;
    const won = await Promise.all(
      Array.from({ length: 10 }, () => webhooks.disable(stored, 'failing', later)),
    );
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(await outbox.oldest(10)).toEqual([endpoint.id]);
    expect(await webhooks.find(endpoint.id)).toMatchObject({ enabled: false, disabledReason: 'failing' });
    expect(await webhooks.subscribers('default', 'run.finished')).toEqual([]);
    await webhooks.update({ ...stored, enabled: false, disabledReason: 'failing' }, { enabled: true });
    expect(await webhooks.find(endpoint.id)).toMatchObject({ enabled: true, disabledReason: null });
    expect(await webhooks.subscribers('default', 'run.finished')).toEqual([endpoint.id]);
  });

  test('that was removed leaves nothing, and nobody brings it back', async () => {
    const endpoint = await register();
    const stored = { ...endpoint, tenant: 'default' };
    expect(await webhooks.remove(stored)).toBe(true);
    expect(await webhooks.remove(stored)).toBe(false);
    expect(await webhooks.update(stored, { enabled: true })).toBeUndefined();
    expect(await webhooks.rotate(endpoint.id)).toBeUndefined();
    expect(await webhooks.disable(stored, 'gone')).toBe(false);
    expect(await allKeys()).toEqual([]);
  });
});

test('secrets are nowhere in Redis in plain', async () => {
  const dump = async () => {
    const parts = await Promise.all((await allKeys()).map((key) => redis.dumpBuffer(key)));
    return Buffer.concat(parts.map((part) => part ?? Buffer.alloc(0))).toString('latin1');
  };
  const endpoint = await register();
  const rotated = await webhooks.rotate(endpoint.id);
  const secret = newWebhookSecret();
  const secrets = [endpoint.secret, rotated?.secret ?? '', secret];
  const id = await create(own(secret));
  const stages = [await dump()];
  await end(id);
  stages.push(await dump());
  const recipient = (await outbox.due(id))?.own;
  expect(recipient).toEqual({ url: 'https://own.example/', secret });
  const recipients: Recipient[] = [{ endpoint: endpoint.id, url: endpoint.url }, recipient ?? toOwn()];
  const [, second = ''] = await deliveries.publish(eventOf(id), recipients, { outboxMember: id });
  stages.push(await dump());
  expect(await deliveries.ownSecret(second)).toBe(secret);
  expect(await webhooks.secrets(endpoint.id)).toEqual([rotated?.secret, endpoint.secret]);
  for (const stage of stages) {
    for (const one of secrets) expect(stage).not.toContain(one.slice('whsec_'.length));
    expect(stage).not.toContain('whsec_');
  }
  // Where the run's event has been made, nobody needs the secret of the run any more.
  expect(await redis.hexists(keys.run(id), 'hook')).toBe(0);
});

test('a box that was moved to another place does not open', async () => {
  const [one, two] = [await published([toOwn()]), await published([toOwn()])];
  const [from, to] = [one[0]?.id ?? '', two[0]?.id ?? ''];
  const box = await redis.hgetBuffer(keys.delivery(from), 'secret');
  await redis.hset(keys.delivery(to), { secret: box ?? '' });
  await expect(deliveries.ownSecret(to)).rejects.toThrow();
});

test('an event of a service comes out of the outbox as it went in, whatever stands in it', async () => {
  const services = createServiceStore(redis, keys, sealer);
  const { id: endpoint } = await register('default', ['service.ready']);
  const id = newId('svc');
  const body = JSON.stringify({
    timestamp: new Date().toISOString(),
    data: { half: '\ud83d', whole: '\u{1f600}', control: '\0\x7f\u2028', quotes: '"\\/</script>%1%' },
  });
  const webhook = { url: 'https://own.example/?\u{1f600}', secret: newWebhookSecret() };
  const request = {
    image: 'busybox',
    env: {},
    files: [],
    webhook,
  } as Partial<ServiceRequest> as ServiceRequest;
  const head = { id, tenant: 'default', name: 'x', createdAt: new Date().toISOString() };
  await services.create(head, request, { maxServices: 10 });
  const holder = { id, tenant: 'default', worker: '', generation: 0 };
  const event = { type: 'service.ready', body } as const;
  expect(await services.report(holder, 'ready', emptyServiceState, { event })).toBe('reported');
  const due = await outbox.dueOfService(`${id}:1`);
  expect(due).toEqual({
    ...{ tenant: 'default', type: 'service.ready', body, endpoints: [endpoint] },
    ...{ own: webhook, ownLost: false, streamed: false },
  });
});
