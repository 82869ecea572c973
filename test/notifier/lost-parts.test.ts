import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { webhooksOf } from './support/deliveries.ts';
import { type Keeper, startKeeper } from './support/keeper.ts';
import { redisOf } from './support/redis.ts';

/** A delivery's record decides, whatever else is lost: its job, a hint, the body that it was to bring. */
const lab = inject('lab');
let runlet: Runlet;
let webhooks: ReturnType<typeof webhooksOf>;
let keeper: Keeper;
let connection: ReturnType<typeof redisOf>;

beforeAll(async () => {
  runlet = await startRunlet(lab, { workers: 0, env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  webhooks = webhooksOf(runlet);
  keeper = await startKeeper();
  connection = redisOf(lab.redisUrl, runlet.prefix);
});
afterAll(async () => {
  connection.redis.disconnect();
  await runlet.stop();
  await keeper.stop();
});

/** A delivery whose first try failed. */
async function begun(): Promise<{ endpoint: string; id: string }> {
  keeper.answer(500);
  const { id: endpoint } = await webhooks.register(keeper.url);
  const { id } = await webhooks.send(endpoint);
  await webhooks.until(id, ({ attempts }) => attempts.length === 1);
  return { endpoint, id };
}

test('a job that vanished', async () => {
  const notifier = await runlet.startNotifier({ RUNLET_WEBHOOK_SCHEDULE_MS: '1000' });
  const { id } = await begun();
  const queue = `${connection.keys.bull}:deliveries`;
  expect(await connection.redis.del(`${queue}:${id}`)).toBe(1);
  await connection.redis.zrem(`${queue}:delayed`, id);
  keeper.answer(204);
  expect(await webhooks.settled(id)).toMatchObject({
    status: 'delivered',
    attempts: [{ statusCode: 500 }, { statusCode: 204 }],
  });
  await notifier.stop();
});

test('a hint that no notifier heard: what is redelivered meanwhile is not left to the old schedule', async () => {
  const notifier = await runlet.startNotifier({ RUNLET_WEBHOOK_SCHEDULE_MS: '3600000' });
  const { id } = await begun();
  await notifier.stop();
  keeper.answer(204);
  expect(await webhooks.call('POST', `/v1/deliveries/${id}/redeliver`)).toMatchObject({ status: 'pending' });
  const next = await runlet.startNotifier();
  expect(await webhooks.settled(id)).toMatchObject({ status: 'delivered' });
  await next.stop();
});

test('a body that is gone ends its delivery, and is not held against the endpoint', async () => {
  const notifier = await runlet.startNotifier({ RUNLET_WEBHOOK_SCHEDULE_MS: '1000' });
  const { endpoint, id } = await begun();
  const { webhookId } = await webhooks.read(id);
  expect(await connection.redis.del(connection.keys.event(webhookId))).toBe(1);
  expect(await webhooks.settled(id)).toMatchObject({
    status: 'failed',
    attempts: [{ statusCode: 500 }, { statusCode: null, error: { code: 'endpoint_deleted' } }],
  });
  expect(await webhooks.call('GET', `/v1/webhooks/${endpoint}`)).toMatchObject({ enabled: true });
  await notifier.stop();
});

test('a secret that does not open: tried by the schedule, then failed; no fault of the endpoint, and others get theirs', async () => {
  const notifier = await runlet.startNotifier({ RUNLET_WEBHOOK_SCHEDULE_MS: '300,300' });
  keeper.answer(204);
  const [broken, well] = [await webhooks.register(keeper.url), await webhooks.register(`${keeper.url}/well`)];
  await connection.redis.hset(connection.keys.webhook(broken.id), 'secret', 'no box');
  const { id } = await webhooks.send(broken.id);
  expect(await webhooks.settled((await webhooks.send(well.id)).id)).toMatchObject({ status: 'delivered' });
  const { status, attempts } = await webhooks.settled(id);
  expect([status, attempts.map(({ error }) => error?.code)]).toEqual([
    'failed',
    ['internal', 'internal', 'internal'],
  ]);
  expect(await webhooks.call('GET', `/v1/webhooks/${broken.id}`)).toMatchObject({ enabled: true });
  await notifier.stop();
});

test('a try that cannot be read is left out of its delivery', async () => {
  const notifier = await runlet.startNotifier({ RUNLET_WEBHOOK_SCHEDULE_MS: '3600000' });
  const { id } = await begun();
  await connection.redis.rpush(connection.keys.attempts(id), '{"at":');
  expect((await webhooks.read(id)).attempts).toMatchObject([{ statusCode: 500 }]);
  expect(await webhooks.call('GET', '/v1/deliveries')).toMatchObject({ nextCursor: null });
  await notifier.stop();
});

test('what in the outbox cannot be read: the others become deliveries, and so does all of it that can', async () => {
  const { redis, keys } = connection;
  keeper.answer(204);
  const { id: endpoint } = await webhooks.call<{ id: string }>('POST', '/v1/webhooks', {
    url: `${keeper.url}/runs`,
    events: ['run.finished'],
  });
  const cancelled = async (own: string, act: (id: string) => Promise<unknown>) => {
    const webhook = { url: `${keeper.url}/${own}` };
    const { id } = await webhooks.call<{ id: string }>('POST', '/v1/runs', { image: 'busybox', webhook });
    await act(id);
    await webhooks.call('POST', `/v1/runs/${id}/cancel`);
    return id;
  };
  const runs = [
    // Its hook is the first that is opened: nobody knows then whether the key is the right one.
    await cancelled('hook', (id) => redis.hset(keys.run(id), 'hook', 'no box')),
    await cancelled('own', async () => {}),
    await cancelled('head', (id) => redis.hset(keys.run(id), 'head', '{')),
  ];
  await redis.zadd(keys.outbox, 1, 'svc_x:1', 2, 'svc_x:2');
  await redis.hset(keys.outboxBodies, 'svc_x:1', '{"tenant":');
  const notifier = await runlet.startNotifier();
  const told = async (path: string, count: number) =>
    (await keeper.receiver.came(count, path)).map(({ body }) => JSON.parse(body).data.id).sort();
  expect(await told('/own', 1)).toEqual([runs[1]]);
  expect(await told('/head', 1)).toEqual([runs[2]]);
  // Another one has opened by now, so it is that one that is broken.
  await redis.zadd(keys.outbox, 'XX', 1, runs[0] ?? '');
  expect(await told('/runs', 3)).toEqual(runs.sort());
  while ((await redis.zcard(keys.outbox)) > 0) await sleep(20);
  expect(await redis.hlen(keys.outboxBodies)).toBe(0);
  expect(keeper.receiver.received.some(({ path }) => path === '/hook')).toBe(false);
  await webhooks.remove(endpoint);
  await notifier.stop();
});
