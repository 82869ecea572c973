import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Delivery } from '../../shared/contracts/webhook.ts';
import { type Program, type Runlet, startRunlet } from '../support/runlet.ts';
import { webhooksOf } from './support/deliveries.ts';
import { type Keeper, startKeeper } from './support/keeper.ts';

/** Receivers share a notifier: what one does is another's trouble as little as can be. */
const lab = inject('lab');
let runlet: Runlet;
let webhooks: ReturnType<typeof webhooksOf>;
let notifier: Program;
const keepers: Keeper[] = [];

beforeAll(async () => {
  // No try times out in these tests: a receiver that hangs, hangs.
  runlet = await startRunlet(lab, {
    workers: 0,
    env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8', RUNLET_WEBHOOK_TIMEOUT_MS: '300000' },
  });
  webhooks = webhooksOf(runlet);
});
afterEach(async () => {
  for (const keeper of keepers.splice(0)) await keeper.stop();
  await notifier.stop();
  for (const { id } of (await webhooks.call<{ data: { id: string }[] }>('GET', '/v1/webhooks?limit=100'))
    .data)
    await webhooks.remove(id);
});
afterAll(() => runlet.stop());

async function keeper(): Promise<Keeper> {
  const made = await startKeeper();
  keepers.push(made);
  return made;
}

async function start(env: Record<string, string>): Promise<void> {
  notifier = await runlet.startNotifier(env);
}

/** So many deliveries that are due to an endpoint. */
async function send(endpoint: string, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 20)
    await Promise.all(Array.from({ length: Math.min(20, left) }, () => webhooks.send(endpoint)));
}

async function all(endpoint: string): Promise<Delivery[]> {
  const found: Delivery[] = [];
  let cursor = '';
  do {
    const page = await webhooks.call<{ data: Delivery[]; nextCursor: string | null }>(
      'GET',
      `/v1/deliveries?limit=100&endpoint=${endpoint}${cursor}`,
    );
    found.push(...page.data);
    cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
  } while (cursor !== '');
  return found;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20);
}

test('one that hangs has its places and no more; others get all of theirs meanwhile; when it wakes, it has missed nothing', async () => {
  await start({ RUNLET_WEBHOOK_CONCURRENCY: '16', RUNLET_WEBHOOK_ENDPOINT_CONCURRENCY: '4' });
  const [hanging, healthy] = [await keeper(), await keeper()];
  healthy.answer(204);
  const slow = await webhooks.register(hanging.url);
  const quick = await webhooks.register(healthy.url);
  await send(slow.id, 300);
  await until(() => hanging.held.length === 4);
  await send(quick.id, 60);
  await healthy.receiver.came(60);
  // None of its tries has ended: the others did not wait for that.
  expect(hanging.receiver.received).toHaveLength(4);
  expect((await all(slow.id)).flatMap(({ attempts }) => attempts)).toEqual([]);

  hanging.answer(200);
  await until(async () => (await all(slow.id)).every(({ status }) => status === 'delivered'));
  expect(hanging.most()).toBe(4);
  expect(hanging.ids().size).toBe(300);
  // Being put off is no try.
  expect((await all(slow.id)).every(({ attempts }) => attempts.length === 1)).toBe(true);
}, 240_000);

test('many that hang do not take all places, one that answers gets its own', async () => {
  await start({ RUNLET_WEBHOOK_CONCURRENCY: '8', RUNLET_WEBHOOK_ENDPOINT_CONCURRENCY: '2' });
  const [hanging, healthy] = [await keeper(), await keeper()];
  healthy.answer(204);
  const quick = await webhooks.register(healthy.url);
  await send(quick.id, 1);
  await healthy.receiver.came(1);
  const slow = [];
  for (let i = 0; i < 10; i += 1) slow.push(await webhooks.register(`${hanging.url}/${i}`));
  for (const { id } of slow) await send(id, 5);
  await until(() => hanging.held.length === 6);
  await send(quick.id, 40);
  await healthy.receiver.came(41);
  expect(hanging.receiver.received).toHaveLength(6);

  hanging.answer(200);
  for (const { id } of slow)
    await until(async () => (await all(id)).every(({ status }) => status === 'delivered'));
  expect(hanging.most()).toBe(6);
  expect(hanging.ids().size).toBe(50);
});

test('one that fails ten times in a row is left alone, then tried once, then gets all that waited', async () => {
  await start({
    RUNLET_WEBHOOK_ENDPOINT_CONCURRENCY: '1',
    RUNLET_WEBHOOK_SCHEDULE_MS: Array(40).fill(100).join(','),
  });
  const [broken, healthy] = [await keeper(), await keeper()];
  broken.answer(500);
  healthy.answer(204);
  const bad = await webhooks.register(broken.url);
  const good = await webhooks.register(healthy.url);
  await send(bad.id, 40);
  await broken.receiver.came(10);
  broken.hold();
  // The eleventh is the one that decides.
  await until(() => broken.held.length === 1);
  expect(broken.receiver.received).toHaveLength(11);
  await send(good.id, 100);
  await healthy.receiver.came(100);
  expect(broken.receiver.received).toHaveLength(11);

  broken.answer(200);
  await until(async () => (await all(bad.id)).every(({ status }) => status === 'delivered'));
  const deliveries = await all(bad.id);
  expect(deliveries).toHaveLength(40);
  expect(broken.ids().size).toBe(40);
  expect(broken.receiver.received).toHaveLength(50);
  // Every try that was made is noted, and none that was not.
  expect(deliveries.flatMap(({ attempts }) => attempts)).toHaveLength(50);
});
