import { Problem } from '../../../shared/problems.ts';
import { workerLost } from '../../../shared/run-losses.ts';
import type { RunRecord } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';
import { isStoreError } from '../http/store-errors.ts';
import { createDeathWatch, type DeathWatchParts } from './dead-workers.ts';
import { actionFor, judge, type OpenRun, type RecordFacts, type Verdict } from './verdict.ts';

export type OpenRunsParts = Pick<Gateway, 'env' | 'log' | 'openRuns' | 'queue' | 'runs'> & DeathWatchParts;

/** Open runs that one sweep looks at; the next sweep goes on where this one stopped. */
const maxRuns = 1_000;

const noWorker = new Problem(
  'no_worker',
  'No worker took this run in time: see GET /v1/workers, then send it again.',
);

/** Looks after the runs that have not ended. */
export function createOpenRunsSweep(gateway: OpenRunsParts) {
  const deathWatch = createDeathWatch(gateway);
  const { RUNLET_QUEUE_EXPIRY_MS: expiryMs, RUNLET_LOST_AFTER_MS: lostAfterMs } = gateway.env;
  const patience = { expiryMs, lostAfterMs };
  let offset = 0;

  return async (now: number): Promise<void> => {
    const ids = await gateway.openRuns.ids(offset, maxRuns);
    offset = ids.length < maxRuns ? 0 : offset + maxRuns;
    const runs = await glance(gateway, ids, deathWatch, now);
    for (const run of runs) {
      const verdict = judge(run, now, patience);
      if (verdict === 'leave') continue;
      gateway.log.info({ run: run.id, verdict, status: run.status, worker: run.worker }, 'janitor');
      await unlessFaulty(gateway, run.id, () => carryOut(gateway, run, verdict));
    }
  };
}

/** If a run cannot be looked after, that is a fault of ours: the run is ended, and the sweep goes on with the others. */
async function unlessFaulty(gateway: OpenRunsParts, id: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (isStoreError(error)) throw error;
    gateway.log.error({ run: id, err: error }, 'janitor ends a run that it cannot look after');
    await endBroken(gateway, id);
  }
}

async function endBroken(gateway: OpenRunsParts, id: string): Promise<void> {
  try {
    await gateway.runs.endBroken(id);
    await gateway.queue.remove(id);
  } catch (error) {
    if (isStoreError(error)) throw error;
    gateway.log.error({ run: id, err: error }, 'janitor cannot end a run');
  }
}

async function glance(
  gateway: OpenRunsParts,
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

async function carryOut(
  gateway: OpenRunsParts,
  run: OpenRun,
  verdict: Exclude<Verdict, 'leave'>,
): Promise<void> {
  const { runs, queue, openRuns } = gateway;
  // What is gone or broken is not read.
  const record = verdict === 'gone' || verdict === 'broken' ? undefined : await runs.read(run.id);
  const action = actionFor(verdict, run, record && factsOf(record));
  if (action === 'none') return undefined;
  if (action === 'end_broken') return endBroken(gateway, run.id);
  if (action === 'drop' || record === undefined) return openRuns.drop(run.id);
  switch (action) {
    case 'add_job':
      return queue.add({ id: run.id, priority: record.head.request.priority, delayMs: 0 });
    case 'end_worker_lost':
      await runs.endUnheld(record, 'errored', { error: workerLost('silent').toBody() });
      return queue.remove(run.id);
    case 'end_expired':
      await runs.endUnheld(record, 'expired', { error: noWorker.toBody() });
      return queue.remove(run.id);
    case 'end_cancelled':
      await runs.endUnheld(record, 'cancelled', {});
      return queue.remove(run.id);
    default:
      return action satisfies never;
  }
}

const factsOf = ({ head, unreadable }: RunRecord): RecordFacts => ({
  unreadable: unreadable === true,
  inService: head.service !== undefined,
  retries: head.request.retries,
});
