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

/** A job may be on its way for so long after its run was stored. */
const jobGraceMs = 15_000;
/** A worker that does not return within this is lost with its runs. */
const lostAfterMs = 30_000;

/**
 * What to do with an open run.
 *
 *   its record is gone, or has ended                              drop it from the indexes
 *   its status is none that there is                              end it: errored, the fault is ours
 *   to be cancelled, and no worker is there to do it              end it: cancelled
 *   queued, without a worker, due for longer than the expiry      end it: expired
 *   queued, without a worker, due for 15 s, without a job         add the job again
 *   pulling, its worker dead for 30 s, without a job              add the job again
 *   running, its worker dead for 30 s                             another attempt if `retries` allows, else worker_lost
 *   … and no worker took that attempt within the expiry           end it: worker_lost
 */
export function judge(run: OpenRun, now: number, expiryMs: number): Verdict {
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
  // Not started: another worker may begin at no cost. Its bounces are counted when it is claimed.
  if (run.status === 'pulling') return run.hasJob ? 'leave' : 'enqueue';
  return 'retry_or_lost';
}
