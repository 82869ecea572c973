import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type RunningRedis, startRedis } from '../../infra/parts/redis.ts';
import type { Run } from '../../shared/contracts/run.ts';
import { newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis, type RedisConnection } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { emptyState, newStep } from '../../shared/stores/run-record.ts';
import { createRunStore, type Holder } from '../../shared/stores/runs.ts';
import { newWebhookSecret } from '../../shared/webhooks/signature.ts';
import { type Receiver, startReceiver, verified } from '../support/receiver.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

/** A Redis that is filled as far as it goes, by whoever may create runs. What is under way goes on. */
const lab = inject('lab');
const MB = 1_000_000;
const maxMemoryBytes = 64 * MB;

let own: RunningRedis;
let redis: RedisConnection;
let runlet: Runlet;
let receiver: Receiver;

beforeAll(async () => {
  own = await startRedis({
    folder: join(lab.dataDir, 'redis-of-store-full'),
    logFile: join(lab.dataDir, 'logs', 'redis-of-store-full.log'),
    say: () => {},
    maxMemoryBytes,
  });
  redis = connectRedis(own.url, 'loop', createLog('test', 'silent'));
  receiver = await startReceiver();
  runlet = await startRunlet(
    { ...lab, redisUrl: own.url },
    { workers: 0, env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8' } },
  );
  await runlet.startNotifier();
});
afterAll(async () => {
  await runlet?.stop();
  await receiver?.stop();
  redis?.disconnect();
  await own?.child.stop();
});

const secret = newWebhookSecret();
const post = (more: object) =>
  runlet.call('POST', '/v1/runs', { image: 'busybox', command: ['cat'], ...more });
const used = async () => Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]);

/** Stores, in the name of a worker that has it, what a program writes and that it has ended. */
function worker() {
  const keys = keysFor(runlet.prefix);
  const store = createRunStore(redis, keys, sealerFor(runlet.env.RUNLET_SECRET_KEY ?? ''));
  const state = { ...emptyState, steps: [newStep('run')] };
  return {
    async start(id: string): Promise<Holder> {
      // It counts as alive, however long the test takes.
      await redis.hset(keys.worker('w1'), 'worker', '{}');
      const claim = await store.claim(id, 'w1', state);
      if (claim.verdict !== 'claimed') throw new Error(`expected to claim, got ${claim.verdict}`);
      return { runId: id, tenant: 'default', attempt: claim.attempt, worker: 'w1' };
    },
    async end(holder: Holder): Promise<void> {
      const data = Buffer.alloc(65_536, 'o');
      for (let i = 0; i < 16; i++)
        expect(await store.append(holder, String(i), [{ type: 'stdout', data }])).toBe(true);
      const now = new Date().toISOString();
      const end = { ...state, exitCode: 0, finishedAt: now };
      expect(await store.finish(holder, 'succeeded', end, 2 ** 20, now)).toBe(true);
    },
  };
}

/** As soon as there is room: the test before may have left Redis full, for its janitor. */
async function begun(path: string): Promise<{ id: string; holder: Holder }> {
  const wanted = { webhook: { url: `${receiver.url}${path}`, secret } };
  let answer = await post(wanted);
  for (; answer.status === 503; answer = await post(wanted)) await sleep(200);
  expect(answer.status, await answer.clone().text()).toBe(202);
  const { id } = (await answer.json()) as Run;
  return { id, holder: await worker().start(id) };
}

async function endsWhole({ id, holder }: { id: string; holder: Holder }, path: string): Promise<void> {
  await worker().end(holder);
  expect(await runlet.ended(id)).toMatchObject({ status: 'succeeded', stdout: 'o'.repeat(2 ** 20) });
  const [told] = await receiver.came(1, path);
  expect(told && verified(secret, told)).toMatchObject({ type: 'run.finished', data: { id } });
}

test('whoever fills it with ended runs is refused with 503 before it is full; runs under way end whole, with their webhooks', async () => {
  const under = await begun('/filled');
  let refused: Response | undefined;
  let stored = 0;
  for (; refused === undefined && stored < 60; stored++) {
    const answer = await post({ stdin: 'x'.repeat(3 * MB) });
    if (answer.status !== 202) refused = answer;
    // What has ended is kept, as what a tenant's quota does not count.
    else await runlet.call('POST', `/v1/runs/${((await answer.json()) as Run).id}/cancel`);
  }
  expect(refused?.status).toBe(503);
  expect(refused?.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await refused?.json()).toMatchObject({ code: 'overloaded' });
  expect(await used()).toBeLessThan(0.8 * maxMemoryBytes);
  await endsWhole(under, '/filled');
  // The janitor makes room of those that have ended.
  for (;;) {
    const answer = await post({ stdin: 'x'.repeat(MB) });
    const { id } = (await answer.json()) as Run;
    if (answer.status === 202) {
      await runlet.call('POST', `/v1/runs/${id}/cancel`);
      return;
    }
    await sleep(200);
  }
});

test('when others have filled it to its limit, runs under way still end whole, and their webhooks come when it has room', async () => {
  const under = await begun('/full');
  // Less than Redis has by itself: what the janitor still removes makes no room.
  await redis.config('SET', 'maxmemory', String(MB / 2));
  await expect(redis.set(newId('run'), 'x')).rejects.toThrow('OOM');
  const refused = await post({});
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  await worker().end(under.holder);
  expect(await runlet.ended(under.id)).toMatchObject({ status: 'succeeded', stdout: 'o'.repeat(2 ** 20) });
  await redis.config('SET', 'maxmemory', String(maxMemoryBytes));
  const [told] = await receiver.came(1, '/full');
  expect(told && verified(secret, told)).toMatchObject({ type: 'run.finished', data: { id: under.id } });
});
