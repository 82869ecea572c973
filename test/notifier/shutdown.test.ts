import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import type { Delivery } from '../../shared/contracts/webhook.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { webhooksOf } from './support/deliveries.ts';
import { type Keeper, startKeeper } from './support/keeper.ts';

/** Notifiers come and go, with tries under way or not: each delivery arrives, and what is told of it is true. */
const lab = inject('lab');
let runlet: Runlet;
let webhooks: ReturnType<typeof webhooksOf>;
let keeper: Keeper;

beforeEach(async () => {
  runlet = await startRunlet(lab, {
    workers: 0,
    env: {
      RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8',
      RUNLET_WEBHOOK_TIMEOUT_MS: '300000',
      // A try that counted as failed would not be repeated in this test.
      RUNLET_WEBHOOK_SCHEDULE_MS: '3600000',
      RUNLET_DRAIN_MS: '500',
    },
  });
  webhooks = webhooksOf(runlet);
  keeper = await startKeeper();
});
afterEach(async () => {
  await runlet.stop();
  await keeper.stop();
});

async function send(count: number): Promise<string[]> {
  const { id } = await webhooks.register(keeper.url);
  return Promise.all(Array.from({ length: count }, async () => (await webhooks.send(id)).id));
}

const settled = (ids: string[]): Promise<Delivery[]> => Promise.all(ids.map(webhooks.settled));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

test('a notifier that is stopped ends the tries it has begun', async () => {
  const notifier = await runlet.startNotifier({ RUNLET_DRAIN_MS: '60000' });
  const ids = await send(20);
  await until(() => keeper.held.length === 8);
  const stopped = notifier.stop('SIGTERM');
  await until(() => notifier.lines.some((line) => line.includes('"stopping"')));
  keeper.answer(204);
  await stopped;
  expect(notifier.killed()).toBe(false);
  expect(keeper.receiver.received).toHaveLength(8);
  const states = await Promise.all(ids.map(webhooks.read));
  expect(states.filter(({ status }) => status === 'delivered')).toHaveLength(8);
  expect(states.filter(({ status, attempts }) => status === 'pending' && attempts.length === 0)).toHaveLength(
    12,
  );

  await runlet.startNotifier();
  const all = await settled(ids);
  expect(all.every(({ status, attempts }) => status === 'delivered' && attempts.length === 1)).toBe(true);
  expect(keeper.receiver.received).toHaveLength(20);
});

test('one that cannot wait breaks them off, and that is not said to be the receiver’s fault', async () => {
  const notifier = await runlet.startNotifier();
  const ids = await send(20);
  await until(() => keeper.held.length === 8);
  await notifier.stop('SIGTERM');
  expect(notifier.killed()).toBe(false);
  for (const state of await Promise.all(ids.map(webhooks.read)))
    expect(state).toMatchObject({ status: 'pending', attempts: [] });

  keeper.answer(204);
  await runlet.startNotifier();
  const all = await settled(ids);
  expect(all.every(({ status, attempts }) => status === 'delivered' && attempts.length === 1)).toBe(true);
  // The eight that it had taken before came twice, under the same ids.
  expect(keeper.ids().size).toBe(20);
  expect(keeper.receiver.received).toHaveLength(28);
});

test('two share the work: each delivery arrives once, and each is noted once', async () => {
  keeper.answer(204);
  await runlet.startNotifier();
  await runlet.startNotifier();
  const ids = (await Promise.all([send(60), send(60), send(60)])).flat();
  const all = await settled(ids);
  expect(all.every(({ status, attempts }) => status === 'delivered' && attempts.length === 1)).toBe(true);
  expect(keeper.receiver.received).toHaveLength(180);
  expect(keeper.ids()).toEqual(new Set(all.map(({ webhookId }) => webhookId)));
});

test('when one of two is killed, the other takes over what it had begun', async () => {
  const [one] = [await runlet.startNotifier(), await runlet.startNotifier()];
  const ids = await send(30);
  await until(() => keeper.held.length === 16);
  await one.stop('SIGKILL');
  await until(() => keeper.held.length === 8);
  keeper.answer(204);
  const all = await settled(ids);
  expect(all.every(({ status }) => status === 'delivered')).toBe(true);
  expect(all.every(({ attempts }) => attempts.length === 1 && attempts[0]?.error === null)).toBe(true);
  expect(keeper.ids().size).toBe(30);
});
