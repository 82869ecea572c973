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
