import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { isStoreError } from '../http/store-errors.ts';
import { createDeathWatch } from './dead-workers.ts';
import { judge, type OpenRun, type Verdict } from './verdict.ts';

/** One sweep looks at so many open runs; the next goes on where it stopped. */
const maxRuns = 1_000;

const workerLost = new Problem(
  'worker_lost',
  'The worker that had this run stopped without a word. Send it again, or set `retries` so that it is tried again by itself.',
);
const noWorker = new Problem(
  'no_worker',
  'No worker took this run in time: see GET /v1/workers, then send it again.',
);

/** Looks after the runs that have not ended. */
export function createOpenRunsSweep(gateway: Gateway) {
  const deathWatch = createDeathWatch(gateway);
  let offset = 0;

  return async (now: number): Promise<void> => {
    const ids = await gateway.openRuns.ids(offset, maxRuns);
    offset = ids.length < maxRuns ? 0 : offset + maxRuns;
    const runs = await glance(gateway, ids, deathWatch, now);
    for (const run of runs) {
      const verdict = judge(run, now, gateway.env.RUNLET_QUEUE_EXPIRY_MS);
      if (verdict === 'leave') continue;
      gateway.log.info({ run: run.id, verdict, status: run.status, worker: run.worker }, 'janitor');
      await unlessFaulty(gateway, run.id, () => carryOut(gateway, run, verdict));
    }
  };
}

/** What cannot be done for one run is a fault of ours: that run ends by it, and the others are looked after. */
async function unlessFaulty(gateway: Gateway, id: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (isStoreError(error)) throw error;
    gateway.log.error({ run: id, err: error }, 'janitor ends a run that it cannot look after');
    await endBroken(gateway, id);
  }
}

async function endBroken(gateway: Gateway, id: string): Promise<void> {
  try {
    await gateway.runs.endBroken(id);
    await gateway.queue.remove(id);
  } catch (error) {
    if (isStoreError(error)) throw error;
    gateway.log.error({ run: id, err: error }, 'janitor cannot end a run');
  }
}

async function glance(
  gateway: Gateway,
  ids: string[],
  deathWatch: ReturnType<typeof createDeathWatch>,
  now: number,
): Promise<OpenRun[]> {
  // Jobs are looked for first: a run that gets its job, or ends, between the two looks is then not taken for lost.
  const withJob = await gateway.queue.having(ids);
  const runs = await gateway.openRuns.glance(ids);
  const dead = await deathWatch(new Set(runs.flatMap(({ worker }) => worker ?? [])), now);
  return runs.map((run) => ({
    ...run,
    hasJob: withJob.has(run.id),
    workerDeadMs: run.worker === null ? undefined : dead.get(run.worker),
  }));
}

async function carryOut(gateway: Gateway, run: OpenRun, verdict: Exclude<Verdict, 'leave'>): Promise<void> {
  if (verdict === 'gone') return gateway.openRuns.drop(run.id);
  if (verdict === 'broken') return endBroken(gateway, run.id);
  const record = await gateway.runs.read(run.id);
  if (record === undefined) return gateway.openRuns.drop(run.id);
  // No worker could begin it; and what is to be done with it otherwise stands in what cannot be read.
  if (record.unreadable && verdict !== 'cancelled') return endBroken(gateway, run.id);
  // A run inside a service has no job: who was to start it has died, or never heard of it.
  if (record.head.service !== undefined && (verdict === 'enqueue' || verdict === 'retry_or_lost')) {
    await gateway.runs.endUnheld(record, 'errored', { error: workerLost.toBody() });
    return;
  }
  const { priority, retries } = record.head.request;
  switch (verdict) {
    case 'enqueue':
      return gateway.queue.add({ id: run.id, priority, delayMs: 0 });
    case 'retry_or_lost':
      // claim.lua counts the loss when the job is taken.
      if (run.losses < retries)
        return run.hasJob ? undefined : gateway.queue.add({ id: run.id, priority, delayMs: 0 });
      await gateway.runs.endUnheld(record, 'errored', { error: workerLost.toBody() });
      return gateway.queue.remove(run.id);
    case 'worker_lost':
      await gateway.runs.endUnheld(record, 'errored', { error: workerLost.toBody() });
      return gateway.queue.remove(run.id);
    case 'expired':
      await gateway.runs.endUnheld(record, 'expired', { error: noWorker.toBody() });
      return gateway.queue.remove(run.id);
    case 'cancelled':
      await gateway.runs.endUnheld(record, 'cancelled', {});
      return gateway.queue.remove(run.id);
    default:
      return verdict satisfies never;
  }
}
