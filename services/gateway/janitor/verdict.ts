import { mayTryAgain } from '../../../shared/run-losses.ts';
import { activeStatuses, isTerminal } from '../../../shared/run-states.ts';
import type { OpenRunGlance } from '../stores/open-runs.ts';

/** What the janitor knows of a run that has not ended, without reading its request. */
export type OpenRun = OpenRunGlance & {
  /** Whether the queue still has a job for it. */
  hasJob: boolean;
  /** How long its worker has been dead; undefined while it lives, or when nobody holds the run. */
  workerDeadMs: number | undefined;
};

export type Verdict =
  | 'leave'
  | 'gone'
  | 'broken'
  | 'enqueue'
  | 'cancelled'
  | 'expired'
  | 'worker_lost'
  | 'retry_or_lost';

const active = new Set<string>(activeStatuses);

/** A run is stored before its job: for so long the job may still be on its way. */
const jobGraceMs = 15_000;

/**
 * `expiryMs`: a run that no worker took for so long after it was due has expired. `lostAfterMs`: a worker that is not back within
 * this time is lost with its runs.
 */
export type Patience = { expiryMs: number; lostAfterMs: number };

/**
 * What to do with an open run.
 *
 *   its record is gone, or has ended                              drop it from the indexes
 *   its status is unknown                                         end it: errored, the fault is ours
 *   to be cancelled, and no worker is there to do it              end it: cancelled
 *   queued, without a worker, due for longer than the expiry      end it: expired
 *   queued, without a worker, due for 15 s, without a job         add the job again
 *   pulling, its worker lost, without a job                       add the job again
 *   running, its worker lost                                      another attempt if `retries` allows, else worker_lost
 *   … and no worker took that attempt within the expiry           end it: worker_lost
 */
export function judge(run: OpenRun, now: number, { expiryMs, lostAfterMs }: Patience): Verdict {
  if (run.status === null || isTerminal(run.status)) return 'gone';
  if (!active.has(run.status)) return 'broken';
  const held = run.worker !== null && run.workerDeadMs === undefined;
  if (held) return 'leave';
  if (run.cancelRequested) return 'cancelled';
  const overdueMs = now - run.dueAt;
  if (run.status === 'queued') {
    if (overdueMs > expiryMs) return 'expired';
    return overdueMs > jobGraceMs && !run.hasJob ? 'enqueue' : 'leave';
  }
  const deadMs = run.workerDeadMs ?? 0;
  if (deadMs <= lostAfterMs) return 'leave';
  if (deadMs > expiryMs) return 'worker_lost';
  // The program has not started: another worker may take it, which costs no retry (claim-run.lua counts such bounces).
  if (run.status === 'pulling') return run.hasJob ? 'leave' : 'enqueue';
  return 'retry_or_lost';
}

/** What the record of a run says beside that, once it has been read. */
export type RecordFacts = { unreadable: boolean; inService: boolean; retries: number };

export type Action =
  | 'none'
  | 'drop'
  | 'end_broken'
  | 'add_job'
  | 'end_cancelled'
  | 'end_expired'
  | 'end_worker_lost';

/**
 * What is done about it.
 *
 *   there is no record                                    drop it from the indexes
 *   the record cannot be read                             end it: errored, the fault is ours. Cancelled, where it was to be cancelled
 *   it runs inside of a service, and needs a job          end it: worker_lost. It never has a job: its worker died, or never heard of it
 *   another attempt, and `retries` allows one             add a job, unless there is one: claim-run.lua counts the loss as it is taken
 *   another attempt, and `retries` are used up            end it: worker_lost
 */
export function actionFor(
  verdict: Exclude<Verdict, 'leave'>,
  run: Pick<OpenRun, 'losses' | 'hasJob'>,
  record: RecordFacts | undefined,
): Action {
  if (verdict === 'broken') return 'end_broken';
  if (verdict === 'gone' || record === undefined) return 'drop';
  if (verdict === 'cancelled') return 'end_cancelled';
  if (record.unreadable) return 'end_broken';
  switch (verdict) {
    case 'enqueue':
      return record.inService ? 'end_worker_lost' : 'add_job';
    case 'retry_or_lost':
      if (record.inService || !mayTryAgain(run.losses, record.retries)) return 'end_worker_lost';
      return run.hasJob ? 'none' : 'add_job';
    case 'worker_lost':
      return 'end_worker_lost';
    case 'expired':
      return 'end_expired';
    default:
      return verdict satisfies never;
  }
}
