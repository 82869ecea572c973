import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Delivery, Webhook } from '../../../shared/contracts/webhook.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { type Receiver, startReceiver, verified } from '../../support/receiver.ts';
import { type Program, type Runlet, startRunlet } from '../../support/runlet.ts';

const lab = inject('lab');
const redis = connectRedis(lab.redisUrl, 'loop', createLog('test', 'silent'));
let runlet: Runlet;
let receiver: Receiver;

// No worker: runs are ended by cancelling them, and the notifier is started when all has happened.
beforeAll(async () => {
  runlet = await startRunlet(lab, { workers: 0, env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  receiver = await startReceiver();
});
afterAll(async () => {
  await receiver.stop();
  await runlet.stop();
  await closeRedis(redis);
});

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await runlet.call(method, path, body);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
const register = (path: string) =>
  call<Webhook & { secret: string }>('POST', '/v1/webhooks', { url: `${receiver.url}${path}` });

async function endedRun(webhook?: { url: string; secret?: string }): Promise<Run> {
  const run = await call<Run>('POST', '/v1/runs', { image: 'busybox', ...(webhook && { webhook }) });
  await call('POST', `/v1/runs/${run.id}/cancel`);
  return run;
}

async function allSettled(
  notifier: () => Promise<Program>,
  runId: string,
  count: number,
): Promise<Delivery[]> {
  const program = await notifier();
  for (;;) {
    const { data } = await call<{ data: Delivery[] }>('GET', `/v1/deliveries?run=${runId}`);
    if (data.length === count && data.every(({ status }) => status !== 'pending')) {
      await program.stop();
      return data;
    }
    await sleep(50);
  }
}

test('between a run’s end and its deliveries: a removed endpoint gets none, a disabled one a delivery that says so', async () => {
  const [stays, removed, disabled] = [
    await register('/stays'),
    await register('/removed'),
    await register('/disabled'),
  ];
  const run = await endedRun({ url: `${receiver.url}/own` });
  const secret = (run.request.webhook as { secret: string }).secret;
  await call('DELETE', `/v1/webhooks/${removed.id}`);
  await call('PATCH', `/v1/webhooks/${disabled.id}`, { enabled: false });
  await call('DELETE', `/v1/runs/${run.id}`);
  // Who subscribes now was not there when the run ended.
  const late = await register('/late');
  const data = await allSettled(() => runlet.startNotifier(), run.id, 3);
  const of = (endpoint: string | null) => data.find((one) => one.endpoint === endpoint);
  expect(of(stays.id)).toMatchObject({ status: 'delivered', attempts: [{ statusCode: 204 }] });
  expect(of(null)).toMatchObject({ status: 'delivered', attempts: [{ statusCode: 204 }] });
  expect(of(disabled.id)).toMatchObject({
    status: 'failed',
    attempts: [{ statusCode: null, error: { code: 'endpoint_disabled' } }],
    nextAttemptAt: null,
  });
  expect(await call('GET', `/v1/deliveries?endpoint=${late.id}`)).toMatchObject({ data: [] });
  expect(receiver.received.map(({ path }) => path).sort()).toEqual(['/own', '/stays']);
  for (const one of receiver.received)
    expect(verified(one.path === '/own' ? secret : stays.secret, one)).toMatchObject({
      data: { id: run.id },
    });
  // It was forgotten before its event was made: only its deliveries tell of it now.
  expect((await runlet.call('GET', `/v1/runs/${run.id}`)).status).toBe(404);
  const keys = keysFor(runlet.prefix);
  expect(await redis.keys(`${keys.run(run.id)}*`)).toEqual([keys.runDeliveries(run.id)]);
  for (const one of [stays, disabled, late]) await call('DELETE', `/v1/webhooks/${one.id}`);
});

test('enabled again, a disabled endpoint gets what it missed, when that is asked for', async () => {
  receiver.received.length = 0;
  const endpoint = await register('/again');
  const run = await endedRun();
  await call('PATCH', `/v1/webhooks/${endpoint.id}`, { enabled: false });
  const [failed] = await allSettled(() => runlet.startNotifier(), run.id, 1);
  expect(failed).toMatchObject({ status: 'failed' });
  expect(receiver.received).toEqual([]);
  await call('PATCH', `/v1/webhooks/${endpoint.id}`, { enabled: true });
  await call('POST', `/v1/deliveries/${failed?.id}/redeliver`);
  const [again] = await allSettled(() => runlet.startNotifier(), run.id, 1);
  expect(again).toMatchObject({ id: failed?.id, status: 'delivered', attempts: [{}, { statusCode: 204 }] });
  const [one] = await receiver.came(1);
  expect(one?.headers['webhook-id']).toBe(again?.webhookId);
  await call('DELETE', `/v1/webhooks/${endpoint.id}`);
});
