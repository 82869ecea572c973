import { Job, type JobJson, Worker } from 'bullmq';
import { type Keys, runQueueName } from '../../../shared/keys.ts';
import type { Log } from '../../../shared/log.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import type { HeldClaim, RunClaims, Start, TakenJob } from '../../../shared/stores/run-claims.ts';
import { jobKeys, jobName, type RunJobData } from '../../../shared/stores/run-jobs.ts';
import type { RunOutline } from '../../../shared/stores/run-record.ts';
import { within } from '../../../shared/within.ts';
import { takeOnceThere } from './waiting-fetch.ts';

/** A job whose lock this worker has. Exactly one of `complete`, `handBack` and `delay` is called. */
export type HeldJob = {
  runId: string;
  /** As the job carries it, if it does. */
  outline: RunOutline | undefined;
  /** The queue was empty before it came. */
  alone: boolean;
  /** That of its lock: what ends the run with it is done with the job as well. */
  token: string;
  /** It was done with its run. */
  ended(): void;
  /** The run has ended (or is gone): the job is done. */
  complete(): Promise<void>;
  /** Back to the queue, at its old place: another worker may take it. */
  handBack(): Promise<void>;
  /** Back to the queue, to be taken after `ms`. */
  delay(ms: number): Promise<void>;
};

export type Fetched = {
  job: HeldJob;
  /** Its run was claimed with it. */
  claim?: HeldClaim;
  /** It counts as started. */
  running?: boolean;
  /** When it was claimed, or may have been. A claim with the same time is the same claim. */
  claimedAt?: number;
};

/** What a fetch may bring: the kinds of runs that are claimed with their job, and how many jobs at once. */
export type Likely = { starts: Start[]; most: number };

/** The longest that one fetch waits; a job that is added ends the wait at once. */
const waitSeconds = 1;

/** Only for jobs that were delayed. One whose data cannot be read comes without its outline, and its run is looked up. */
class DueJobs extends Worker<RunJobData> {
  protected override createJob(data: JobJson, id: string): Job<RunJobData> {
    try {
      return Job.fromJSON(this, data, id);
    } catch {
      return Job.fromJSON(this, { ...data, data: '{}' }, id);
    }
  }
}

export type RunQueue = ReturnType<typeof createRunQueue>;

/**
 * The worker's side of the queue of runs. Jobs are fetched one at a time, when the node has room. BullMQ's own concurrency is not used:
 * it counts jobs, and runs differ in size. What happens to every run is done by our own scripts (run-jobs.ts); BullMQ keeps the locks,
 * finds jobs whose worker was lost, and delays.
 */
export function createRunQueue(options: {
  redis: RedisConnection;
  /** A connection of its own: commands on it wait until a job is there (waiting-fetch.ts). */
  ahead: RedisConnection;
  claims: Pick<RunClaims, 'take' | 'dropJob'>;
  /** Over `ahead`. */
  claimsAhead: Pick<RunClaims, 'take'>;
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
  const { log, workerId, redis, lockMs, claims } = options;
  const { marker } = jobKeys(options.keys);
  const bull = new DueJobs(runQueueName, null, {
    connection: redis,
    prefix: options.keys.bull,
    autorun: false,
    name: workerId,
    lockDuration: lockMs,
    stalledInterval: Math.round(lockMs / 2),
    // How often a run may be lost is decided by its record (claim-run.lua), not by the queue.
    maxStalledCount: 1_000_000,
    drainDelay: waitSeconds,
  });
  bull.on('error', (error) => log.warn({ reason: error.message }, 'queue'));

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

  type Found = TakenJob & { claimedAt?: number };
  /** What came together with others, and was not asked for yet. */
  const brought: Fetched[] = [];

  async function fetch(token: string, likely: () => Likely): Promise<Found[]> {
    // With delayed jobs BullMQ itself waits, as it knows when the next one is due.
    if (foundNone && someDelayed) return fetchDue(token, true);
    const claimedAt = Date.now();
    const take = (from: Pick<RunClaims, 'take'>) => () => {
      const { starts, most } = likely();
      // A worker that waited is not the only one: those that come now are for all.
      return from.take({
        token,
        lockMs,
        worker: workerId,
        starts,
        now: claimedAt,
        most: foundNone ? 1 : most,
      });
    };
    const taken = foundNone
      ? await takeOnceThere(options.ahead, marker, waitSeconds, take(options.claimsAhead))
      : await take(claims)();
    if (taken.outcome === 'due') return fetchDue(token, false);
    if (taken.outcome === 'taken') return taken.jobs.map((one) => ({ ...one, claimedAt }));
    someDelayed = taken.someDelayed;
    return [];
  }

  async function fetchDue(token: string, block: boolean): Promise<Found[]> {
    const job: Job<RunJobData> | undefined = await bull.getNextJob(token, { block });
    if (job?.id !== undefined)
      return [{ id: job.id, outline: job.data?.outline ?? undefined, running: false }];
    someDelayed = (await redis.zcard(bull.toKey('delayed'))) > 0;
    return [];
  }

  /** After a pause of this process or of Redis, the lock that an answer speaks of may have expired. */
  async function ours(found: Found[], token: string, asked: number): Promise<Found[]> {
    if (found.length === 0 || performance.now() - asked < lockMs / 2) return found;
    const ids = found.map(({ id }) => id);
    const lost = await bull.extendJobLocks(
      ids,
      ids.map(() => token),
      lockMs,
    );
    return found.filter(({ id }) => !lost.includes(id));
  }

  function hold({ id, outline }: Found, token: string, alone: boolean): HeldJob {
    held.set(id, token);
    let isEnded = false;
    // BullMQ needs its id only.
    const job = () => new Job(bull, jobName, {}, {}, id);
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
      outline,
      alone,
      token,
      ended() {
        isEnded = true;
        held.delete(id);
      },
      complete: () => end(async () => (isEnded ? undefined : claims.dropJob(id, token))),
      handBack: () =>
        end(async () => {
          await job().moveToWait(token);
          // BullMQ wakes no waiting worker for a job with a priority that comes back, as it does for one that is added.
          await redis.zadd(marker, 0, '0');
        }),
      delay: (ms) => end(() => job().moveToDelayed(Date.now() + ms, token)),
    };
  }

  return {
    async open(): Promise<void> {
      await bull.waitUntilReady();
      await bull.startStalledCheckTimer();
    },

    /**
     * The next job that is due; `undefined` after a while without one.
     *
     * @param likely called when a fetch is sent
     */
    async next(likely: () => Likely): Promise<Fetched | undefined> {
      if (brought.length > 0) return brought.shift();
      fetches += 1;
      const token = `${workerId}:${fetches}`;
      const asked = performance.now();
      const alone = foundNone;
      const found = await fetch(token, likely);
      foundNone = found.length === 0;
      for (const one of await ours(found, token, asked)) {
        const { claim, running, claimedAt } = one;
        brought.push({
          job: hold(one, token, alone),
          ...(claimedAt !== undefined && { claimedAt }),
          ...(claim !== undefined && { claim, running }),
        });
      }
      return brought.shift();
    },

    /** Whether some have come that were not asked for yet. They are this worker's: it has to take them, or hand them back. */
    holdsSome: () => brought.length > 0,

    async close(): Promise<void> {
      clearInterval(renewal);
      // worker.close() may wait for ever for a blocked connection.
      await within(2_000, bull.close(true));
      options.ahead.disconnect();
    },
  };
}
