import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Pool } from 'undici';
import { type RunRequest, runRequestSchema } from '../../shared/contracts/run-request.ts';
import { newId } from '../../shared/ids.ts';
import { createDeliveryStore } from '../../shared/stores/deliveries.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import type { Context } from './context.ts';
import { compared, type Row, throughput } from './measure.ts';
import { storesOf } from './stores.ts';

/** The notifier’s defaults: tries at once to one endpoint, and in all. */
const lanesOf = { one: 8, all: 64 };

/** The notifier, working off what a storm of runs has left in the outbox. */
export async function webhookDeliveries(context: Context): Promise<Row[]> {
  const count = Math.min(10_000, context.rounds * 250);
  const receiver = await startReceiver();
  try {
    const measuring = (async () => [
      ...(await measured(context, receiver, { count, endpoints: 1, lanes: lanesOf.one })),
      ...(await measured(context, receiver, { count, endpoints: 10, lanes: lanesOf.all })),
    ])();
    return await Promise.race([measuring, context.interrupted]);
  } finally {
    await receiver.stop();
  }
}

type Load = { count: number; endpoints: number; lanes: number };

async function measured({ lab }: Context, receiver: Receiver, load: Load): Promise<Row[]> {
  const { count, endpoints, lanes } = load;
  const runlet = await startRunlet(lab, { workers: 0, env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  try {
    for (let i = 0; i < endpoints; i += 1)
      await runlet.call('POST', '/v1/webhooks', { url: `${receiver.url}/${i}` });
    await endRuns(runlet, count / endpoints);
    const { half, all } = receiver.takes(count);
    const notifier = await runlet.startNotifier();
    await half;
    const halfMiB = await peakMiB(notifier.pid);
    const mine = count / ((await all) / 1_000);
    const allMiB = await peakMiB(notifier.pid);
    const peer = await barePosts(receiver, await settledBody(runlet, count), load);
    const what = `${count} webhooks to ${endpoints === 1 ? 'one endpoint' : `${endpoints} endpoints`}`;
    return [
      compared(`${what}, vs bare POSTs, ${lanes} at a time`, [mine, peer], '/s', '≥ 500 /s'),
      compared(`${what}: notifier’s peak memory, vs after half of them`, [allMiB, halfMiB], 'MiB', 'flat'),
    ];
  } finally {
    await runlet.stop();
  }
}

/** Runs that are stored and end, all that a worker does between left out. */
async function endRuns(runlet: Runlet, count: number): Promise<void> {
  const { redis, keys, sealer } = storesOf(runlet);
  const runs = createRunStore(redis, keys, sealer);
  const most = Number.MAX_SAFE_INTEGER;
  const request = runRequestSchema({
    limits: { timeoutMs: most, memoryBytes: most, cpus: 1, pids: most, outputBytes: most, diskBytes: most },
    allowWritable: false,
    allowEgress: false,
    registries: [],
  }).parse({ image: 'busybox', command: ['echo', 'hi'] }) as RunRequest;
  await throughput(32, count, async () => {
    const now = new Date();
    const head = { id: newId('run'), tenant: 'default', createdAt: now.toISOString(), dueAt: now.getTime() };
    await runs.create(head, request, { maxTenantRuns: most, maxRuns: most, maxDeliveries: most });
    const record = await runs.read(head.id);
    if (record !== undefined) await runs.endUnheld(record, 'cancelled', {});
  });
  redis.disconnect();
}

/** Waits until the notifier has noted all of it too; answers the body of one of them. */
async function settledBody(runlet: Runlet, count: number): Promise<string> {
  const { redis, keys, sealer } = storesOf(runlet);
  const store = createDeliveryStore(redis, keys, sealer);
  while ((await store.pendingCount()) > 0) await sleep(50);
  const delivered = Number(await redis.hget(keys.stats, 'deliveries:delivered'));
  if (delivered !== count) throw new Error(`${delivered} of ${count} were delivered`);
  const [id = ''] = await store.ids('default', {}, undefined, 1);
  const one = await store.read(id);
  const body = one && (await store.body(one));
  redis.disconnect();
  return body ?? '';
}

/** The same bodies to the same receiver, with nothing looked up, signed or noted. */
async function barePosts(receiver: Receiver, body: string, { count, lanes }: Load): Promise<number> {
  const pool = new Pool(receiver.url, { connections: lanes });
  const { all } = receiver.takes(count);
  const headers = { 'content-type': 'application/json' };
  await throughput(lanes, count, async () => {
    const answer = await pool.request({ path: '/', method: 'POST', headers, body });
    await answer.body.dump();
  });
  await pool.close();
  return count / ((await all) / 1_000);
}

async function peakMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

type Receiver = Awaited<ReturnType<typeof startReceiver>>;

async function startReceiver() {
  const thread = new Worker(new URL('./webhook-receiver.ts', import.meta.url));
  const said = async <T>() => ((await once(thread, 'message')) as [T])[0];
  const { port } = await said<{ port: number }>();
  return {
    url: `http://127.0.0.1:${port}`,
    /** Half of so many, and all of them: resolve with the ms since the first. */
    takes(count: number): { half: Promise<number>; all: Promise<number> } {
      const half = said<{ ms: number }>();
      const all = half.then(() => said<{ ms: number }>());
      thread.postMessage(count);
      return { half: half.then(({ ms }) => ms), all: all.then(({ ms }) => ms) };
    },
    stop: () => thread.terminate(),
  };
}
