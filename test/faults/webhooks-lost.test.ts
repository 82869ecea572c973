import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type RunningRedis, startRedis } from '../../infra/parts/redis.ts';
import { runFinishedPayload } from '../../services/gateway/webhooks/payload.ts';
import type { Run } from '../../shared/contracts/run.ts';
import type { Delivery, Webhook } from '../../shared/contracts/webhook.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { newWebhookSecret } from '../../shared/webhooks/signature.ts';
import { type Receiver, startReceiver, verified } from '../support/receiver.ts';
import { type Program, type Runlet, startRunlet } from '../support/runlet.ts';
import { sandboxesOn } from '../support/sandboxes.ts';
import { chanceOf } from './chance.ts';
import { storeVictim, torment, victim } from './torment.ts';

const lab = inject('lab');
const seed = Number(process.env.RUNLET_TEST_SEED ?? Date.now() % 1_000_000);
const times = 3;
const wanted = 300;
const retries = 2;

let redis: RunningRedis;
let runlet: Runlet;
let notifier: Program;
let receiver: Receiver;

const folder = join(lab.dataDir, 'redis-of-webhooks-lost');
const start = () =>
  startRedis({ folder, logFile: join(lab.dataDir, 'logs', 'redis-of-webhooks-lost.log'), say: () => {} });

beforeAll(async () => {
  console.log(`RUNLET_TEST_SEED=${seed}`);
  redis = await start();
  runlet = await startRunlet(
    { dockerHost: lab.dockerHost, redisUrl: redis.url },
    {
      env: {
        RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8',
        // The receiver refuses some: nothing of it may be given up.
        RUNLET_WEBHOOK_SCHEDULE_MS: Array.from({ length: 20 }, () => 300).join(),
      },
    },
  );
  notifier = await runlet.startNotifier();
  receiver = await startReceiver();
});
afterAll(async () => {
  await receiver?.stop();
  await runlet?.stop();
  await redis?.child.stop();
});

type Posted = { id: string; own: string | undefined; retries: number };
type Arrived = { path: string; webhookId: string; run: string; status: string };

/** The secret of each path that the receiver is called at. */
const secrets = new Map<string, string>();

/** Undefined: it was refused, or broke off. It may be stored all the same. */
async function post(n: number): Promise<Posted | undefined> {
  const own = n % 2 === 0 ? `/own/${n}` : undefined;
  const secret = newWebhookSecret();
  if (own !== undefined) secrets.set(own, secret);
  const request = {
    image: 'busybox',
    // Some are still running when their worker is killed.
    command: n % 3 === 0 ? ['sh', '-c', `echo ${n}; sleep 1`] : ['echo', String(n)],
    limits: { memoryBytes: 16_777_216, cpus: 0.25 },
    retries: n % 5 === 0 ? 0 : retries,
    ...(own !== undefined && { webhook: { url: `${receiver.url}${own}`, secret } }),
  };
  const response = await runlet.call('POST', '/v1/runs', request).catch(() => undefined);
  if (response === undefined) return undefined;
  const id = response.headers.get('location')?.split('/').at(-1);
  await response.text().catch(() => {});
  if (response.status !== 202 || id === undefined) {
    expect(response.status).toBe(503);
    return undefined;
  }
  return { id, own, retries: request.retries };
}

async function get<T>(path: string): Promise<T> {
  const response = await runlet.call('GET', path);
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

async function allDeliveries(): Promise<Delivery[]> {
  const all: Delivery[] = [];
  let cursor = '';
  for (;;) {
    const page = await get<{ data: Delivery[]; nextCursor: string | null }>(
      `/v1/deliveries?limit=100${cursor}`,
    );
    all.push(...page.data);
    if (page.nextCursor === null) return all;
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(200);
}

test('whatever is killed, and when: every webhook that is due arrives, and each run ended once', async () => {
  const made = (await (
    await runlet.call('POST', '/v1/webhooks', { url: `${receiver.url}/endpoint` })
  ).json()) as Webhook & { secret: string };
  secrets.set('/endpoint', made.secret);
  const arrived: Arrived[] = [];
  const moods = chanceOf(seed, 'receiver');
  receiver.answer((one, response) => {
    if (moods.oneIn(10)) return response.writeHead(503).end();
    const { data } = runFinishedPayload.parse(verified(secrets.get(one.path) ?? '', one));
    arrived.push({
      path: one.path,
      webhookId: String(one.headers['webhook-id']),
      run: data.id,
      status: data.status,
    });
    // Some are on their way when their notifier is killed: it never hears that they arrived.
    if (moods.oneIn(5)) return moods.pause(200, 1_500).then(() => response.writeHead(204).end());
    return response.writeHead(204).end();
  });

  const posting = (async () => {
    const chance = chanceOf(seed, 'posts');
    const counted: Posted[] = [];
    for (let n = 0; counted.length < wanted; n += 1) {
      const posted = await post(n);
      if (posted !== undefined) counted.push(posted);
      await chance.pause(20, 180);
    }
    return counted;
  })();
  const kill = (name: string, first: Program, again: () => Promise<Program>) =>
    torment(name, victim(first), async () => victim(await again()), {
      times,
      chance: chanceOf(seed, name),
    });
  const store = async () => {
    redis = await start();
    return storeVictim(redis);
  };
  const [counted, worker] = await Promise.all([
    posting,
    kill('worker', runlet.workers[0] as Program, runlet.startWorker),
    kill('notifier', notifier, runlet.startNotifier),
    kill('gateway', runlet.gateway, runlet.startGateway),
    torment('redis', storeVictim(redis), store, { times, chance: chanceOf(seed, 'redis') }),
  ]);

  const keys = keysFor(runlet.prefix);
  const look = connectRedis(redis.url, 'loop', createLog('test', 'silent'));
  const empty = async (key: string) => {
    const began = performance.now();
    let told = false;
    await until(async () => {
      const left = await look.zcard(key);
      // Should it never end, this is what is known of it.
      if (left > 0 && !told && performance.now() - began > 120_000) {
        told = true;
        console.log(
          key,
          left,
          await look.zrange(key, '0', '2'),
          (await allDeliveries()).find(({ status }) => status === 'pending'),
        );
      }
      return left === 0;
    });
  };
  await empty(keys.open);
  await empty(keys.outbox);
  await empty(keys.pendingDeliveries);
  expect(await look.zcard(keys.tenantOpen('default'))).toBe(0);
  expect(await look.zcard(keys.tenantPending('default'))).toBe(0);

  const deliveries = await allDeliveries();
  expect(deliveries.filter(({ status }) => status !== 'delivered')).toEqual([]);
  for (const { id, own, retries: allowed } of counted) {
    const run = await get<Run>(`/v1/runs/${id}`);
    if (run.status !== 'succeeded') {
      expect(run).toMatchObject({ status: 'errored', error: { code: 'worker_lost' } });
      expect(run.attempt).toBeGreaterThan(allowed);
    }
    const events = await (await runlet.call('GET', `/v1/runs/${id}/events`)).text();
    expect(events.match(/^event: exit$/gm)).toHaveLength(1);
    const paths = ['/endpoint', ...(own === undefined ? [] : [own])];
    const came = arrived.filter((one) => one.run === id);
    expect([...new Set(came.map(({ path }) => path))].sort()).toEqual(paths);
    expect([...new Set(came.map(({ status }) => status))]).toEqual([run.status]);
    // The same event for all who hear of it, however often.
    expect(new Set(came.map(({ webhookId }) => webhookId)).size).toBe(1);
    const records = deliveries.filter((one) => one.run === id);
    expect(records.map(({ url }) => new URL(url).pathname).sort()).toEqual(paths);
    for (const record of records) {
      expect(record.webhookId).toBe(came[0]?.webhookId);
      expect(record.attempts.at(-1)).toMatchObject({ statusCode: 204, error: null });
    }
  }
  // What was refused or broke off may have been stored: it was to end once, too.
  const others = new Set(arrived.map(({ run }) => run));
  for (const run of others) {
    const came = arrived.filter((one) => one.run === run);
    expect(new Set(came.map(({ status }) => status)).size).toBe(1);
    expect(new Set(came.map(({ webhookId }) => webhookId)).size).toBe(1);
  }
  expect(new Set(deliveries.map(({ run }) => run))).toEqual(others);

  const instance = await look.get(keys.instance);
  look.disconnect();
  const ownersOf = async () => {
    const all = await sandboxesOn(lab.dockerHost);
    return all.filter((one) => one.instance === instance).map(({ worker }) => worker);
  };
  // What the dead have left is the last one's to remove; then it removes its own.
  const { worker: id } = JSON.parse(worker.program.lines.find((line) => line.includes('"ready"')) ?? '{}');
  await until(async () => (await ownersOf()).every((owner) => owner === id));
  // A worker that stops has 15 s for what its last runs have used, which on a slow engine is not enough for dozens of them.
  await until(async () => {
    const { data } = await get<{ data: Worker[] }>('/v1/workers');
    const waiting = data.flatMap(({ warm }) => warm).reduce((sum, { count }) => sum + count, 0);
    return (await ownersOf()).length === waiting;
  });
  await worker.program.stop();
  expect(await ownersOf()).toEqual([]);
  console.log(
    `${counted.length} runs counted of ${others.size}; ${arrived.length} deliveries taken for ${deliveries.length}`,
  );
}, 1_200_000);
