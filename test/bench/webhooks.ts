import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Pool } from 'undici';
import { type RunRequest, runRequestSchema } from '../../shared/contracts/run-request.ts';
import { newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { createDeliveryStore } from '../../shared/stores/deliveries.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { type Row, throughput } from './measure.ts';

const deliveries = 10_000;
/** The notifier's defaults: tries at once to one endpoint, and in all. */
const laneOptions = { one: 8, all: 64 };

/** The notifier, working off what a storm of runs has left in the outbox. */
export async function webhookDeliveries(lab: { redisUrl: string; dockerHost: string }): Promise<Row[]> {
  const receiver = await startReceiver();
  try {
    return [
      ...(await measured(lab, receiver, 1, laneOptions.one)),
      ...(await measured(lab, receiver, 10, laneOptions.all)),
    ];
  } finally {
    await receiver.stop();
  }
}

async function measured(
  lab: { redisUrl: string; dockerHost: string },
  receiver: Receiver,
  endpoints: number,
  lanes: number,
): Promise<Row[]> {
  const runlet = await startRunlet(lab, { workers: 0, env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  try {
    for (let i = 0; i < endpoints; i += 1)
      await runlet.call('POST', '/v1/webhooks', { url: `${receiver.url}/${i}` });
    await endRuns(runlet, deliveries / endpoints);
    const took = receiver.takes(deliveries);
    const notifier = await runlet.startNotifier();
    const idleMiB = await peakMiB(notifier.pid);
    const mine = deliveries / ((await took) / 1_000);
    const busyMiB = await peakMiB(notifier.pid);
    const body = await settledBody(runlet);
    const peer = await barePosts(receiver, body, lanes);
    const what = `webhooks: ${deliveries} deliveries to ${endpoints} ${endpoints === 1 ? 'endpoint' : 'endpoints'}`;
    return [
      {
        what: `${what}, vs bare POSTs, ${lanes} at a time`,
        runlet: `${mine.toFixed(0)} /s`,
        peer: `${peer.toFixed(0)} /s`,
        ratio: (mine / peer).toFixed(2),
        goal: '≥ 500 /s',
      },
      {
        what: `${what}, notifier’s peak memory, vs when it was ready`,
        runlet: `${busyMiB.toFixed(0)} MiB`,
        peer: `${idleMiB.toFixed(0)} MiB`,
        ratio: (busyMiB / idleMiB).toFixed(2),
        goal: '≤ 250 MiB',
      },
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
    await runs.create(head, request, { tenantMost: most, systemMost: most, deliveriesMost: most });
    const record = await runs.read(head.id);
    if (record !== undefined) await runs.endUnheld(record, 'cancelled', {});
  });
  redis.disconnect();
}

/** Waits until the notifier has noted all of it too; answers the body of one of them. */
async function settledBody(runlet: Runlet): Promise<string> {
  const { redis, keys, sealer } = storesOf(runlet);
  const store = createDeliveryStore(redis, keys, sealer);
  while ((await store.pendingCount()) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  const delivered = Number(await redis.hget(keys.stats, 'deliveries:delivered'));
  if (delivered !== deliveries) throw new Error(`${delivered} of ${deliveries} were delivered`);
  const [id = ''] = await store.ids('default', {}, undefined, 1);
  const one = await store.read(id);
  const body = one && (await store.body(one));
  redis.disconnect();
  return body ?? '';
}

function storesOf(runlet: Runlet) {
  const redis = connectRedis(runlet.env.RUNLET_REDIS_URL ?? '', 'loop', createLog('bench', 'silent'));
  return { redis, keys: keysFor(runlet.prefix), sealer: sealerFor(runlet.env.RUNLET_SECRET_KEY ?? '') };
}

/** The same bodies to the same receiver, with nothing looked up, signed or noted. */
async function barePosts(receiver: Receiver, body: string, lanes: number): Promise<number> {
  const pool = new Pool(receiver.url, { connections: lanes });
  const took = receiver.takes(deliveries);
  const headers = { 'content-type': 'application/json' };
  await throughput(lanes, deliveries, async () => {
    const answer = await pool.request({ path: '/', method: 'POST', headers, body });
    await answer.body.dump();
  });
  await pool.close();
  return deliveries / ((await took) / 1_000);
}

async function peakMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

type Receiver = Awaited<ReturnType<typeof startReceiver>>;

async function startReceiver() {
  const thread = new Worker(new URL('./webhook-receiver.ts', import.meta.url));
  const [{ port }] = (await once(thread, 'message')) as [{ port: number }];
  return {
    url: `http://127.0.0.1:${port}`,
    /** From the first of so many to the last, in ms. */
    async takes(count: number): Promise<number> {
      thread.postMessage(count);
      const [{ ms }] = (await once(thread, 'message')) as [{ ms: number }];
      return ms;
    },
    stop: () => thread.terminate(),
  };
}
