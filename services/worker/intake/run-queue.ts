import { Job } from 'bullmq';
import { type Keys, runQueueName } from '../../../shared/keys.ts';
import type { Log } from '../../../shared/log.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import type { Fetch } from '../../../shared/stores/run-claims.ts';
import type { RunOutline } from '../../../shared/stores/run-record.ts';
import { within } from '../../../shared/within.ts';
import { createWaitingFetch, type RunJob, RunWorker } from './waiting-fetch.ts';

/** A job whose lock this worker has. Exactly one of `complete`, `handBack` and `delay` is called. */
export type HeldJob = {
  runId: string;
  /** As the job carries it, if it does. */
  outline: RunOutline | undefined;
  /** The queue was empty before it came. */
  alone: boolean;
  /** The run has ended (or is gone): the job is done. */
  complete(): Promise<void>;
  /** Back to the queue, at its old place: another worker may take it. */
  handBack(): Promise<void>;
  /** Back to the queue, to be taken after `ms`. */
  delay(ms: number): Promise<void>;
};

/** The longest that one fetch waits; a job that is added ends the wait at once. */
const waitSeconds = 1;

export type RunQueue = ReturnType<typeof createRunQueue>;

/**
 * The worker's side of the queue of runs. Jobs are fetched one at a time, when the node has room. BullMQ's own concurrency is not used:
 * it counts jobs, and runs differ in size.
 */
export function createRunQueue(options: {
  redis: RedisConnection;
  /** A connection of its own: commands on it wait until a job is there (waiting-fetch.ts). */
  ahead: RedisConnection;
  keys: Keys;
  workerId: string;
  /**
   * How long a lock lasts without renewal. Short enough that a dead worker's runs are soon taken over, and long enough for a pause of the
   * event loop. It is renewed after a third of this.
   */
  lockMs: number;
  log: Log;
  /** The lock of these runs was lost: somebody else may be running them. */
  onLockLost: (runIds: string[]) => void;
}) {
  const { log, workerId, redis, lockMs } = options;
  const bull = new RunWorker(runQueueName, null, {
    connection: redis,
    prefix: options.keys.bull,
    autorun: false,
    name: workerId,
    lockDuration: lockMs,
    stalledInterval: Math.round(lockMs / 2),
    // How often a run may be lost is decided by its record (claim.lua), not by the queue.
    maxStalledCount: 1_000_000,
    drainDelay: waitSeconds,
  });
  const waiting = createWaitingFetch(
    options.ahead,
    runQueueName,
    { prefix: options.keys.bull, name: workerId, lockDuration: lockMs },
    bull,
  );
  for (const one of [bull, waiting.asker])
    one.on('error', (error) => log.warn({ reason: error.message }, 'queue'));

  // Job id → token. A token is new for each fetch, so that two fetches of one job are told apart.
  const held = new Map<string, string>();
  let fetches = 0;
  let foundNone = false;
  let someDelayed = false;

  const renewal = setInterval(async () => {
    if (held.size === 0) return;
    const ids = [...held.keys()];
    try {
      const lost = await bull.extendJobLocks(ids, [...held.values()], lockMs);
      if (lost.length > 0) options.onLockLost(lost);
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'locks could not be renewed');
    }
  }, lockMs / 3);

  const ofAny = '<id>';
  const names = {
    active: bull.toKey('active'),
    lock: bull.toKey(`${ofAny}:lock`),
    job: bull.toKey(ofAny),
  };
  const delayedKey = bull.toKey('delayed');

  function fetch(token: string, along: (fetch: Fetch) => void): Promise<RunJob | undefined> {
    // With delayed jobs BullMQ itself waits, as it knows when the next one is due.
    if (!foundNone || someDelayed) return bull.getNextJob(token, { block: foundNone });
    return waiting.fetch(token, waitSeconds, () => along({ token, ...names }));
  }

  /** After a pause of this process or of Redis, the lock that an answer speaks of may have expired. */
  async function isOurs(id: string, token: string, asked: number): Promise<boolean> {
    if (performance.now() - asked < lockMs / 2) return true;
    return (await bull.extendJobLocks([id], [token], lockMs)).length === 0;
  }

  function hold(job: RunJob, id: string, token: string, alone: boolean): HeldJob {
    held.set(id, token);
    const end = async (how: () => Promise<unknown>) => {
      held.delete(id);
      try {
        await how();
      } catch (error) {
        // The lock was lost meanwhile: another worker has the job, and the run's record says whose writes count.
        log.warn({ run: id, reason: (error as Error).message }, 'job could not be ended');
      }
    };
    return {
      // The job's id is the run's. What the job's data say is not relied on: its lock is held by this id.
      runId: id,
      outline: job.data?.outline ?? undefined,
      alone,
      complete: () => end(() => job.moveToCompleted(null, token, false)),
      handBack: () =>
        end(async () => {
          await job.moveToWait(token);
          // BullMQ wakes no waiting worker for a job with a priority that comes back, as it does for one that is added.
          await redis.zadd(bull.toKey('marker'), 0, '0');
        }),
      delay: (ms) => end(() => job.moveToDelayed(Date.now() + ms, token)),
    };
  }

  return {
    async open(): Promise<void> {
      await Promise.all([bull.waitUntilReady(), waiting.asker.waitUntilReady()]);
      await bull.startStalledCheckTimer();
    },

    /**
     * The next job that is due; `undefined` after a while without one.
     *
     * @param along called where the queue was empty, as soon as this fetch is sent. Redis carries out right after it what this sends over
     *   `ahead`
     */
    async next(along: (fetch: Fetch) => void): Promise<HeldJob | undefined> {
      fetches += 1;
      const token = `${workerId}:${fetches}`;
      const asked = performance.now();
      const alone = foundNone;
      const job = await fetch(token, along);
      foundNone = job?.id === undefined;
      if (foundNone) someDelayed = (await redis.zcard(delayedKey)) > 0;
      if (job?.id === undefined || !(await isOurs(job.id, token, asked))) return undefined;
      return hold(job, job.id, token, alone);
    },

    /** A job that Redis gave to this fetch, but whose answer was lost with a connection. */
    async held(runId: string, { token }: Fetch): Promise<HeldJob | undefined> {
      const job: RunJob | undefined = await Job.fromId(bull, runId);
      if (job === undefined || !(await isOurs(runId, token, Number.NEGATIVE_INFINITY))) return undefined;
      return hold(job, runId, token, true);
    },

    async close(): Promise<void> {
      clearInterval(renewal);
      // worker.close() may wait for ever for a blocked connection.
      await within(2_000, Promise.all([bull.close(true), waiting.asker.close(true)]));
      options.ahead.disconnect();
    },
  };
}
