import { type Job, Worker } from 'bullmq';
import { type Keys, runQueueName } from '../../shared/keys.ts';
import type { Log } from '../../shared/log.ts';
import type { RedisConnection } from '../../shared/redis.ts';
import type { RunOutline } from '../../shared/stores/run-record.ts';
import { within } from '../../shared/within.ts';

/** A job in this worker's hands. Exactly one of its three ends is called. */
export type HeldJob = {
  runId: string;
  /** As the job carries it, if it does. */
  outline: RunOutline | undefined;
  /** Nobody else was waiting when it came. */
  alone: boolean;
  /** The run has ended (or is gone): the job is done. */
  complete(): Promise<void>;
  /** Back to the queue, at its old place: another worker may take it. */
  handBack(): Promise<void>;
  /** Back to the queue, to be taken after `ms`. */
  delay(ms: number): Promise<void>;
};

/**
 * A lock outlives its last renewal by this. Short, so that a dead worker's runs are taken over soon; long against
 * a pause of the event loop. Renewed at a third.
 */
const lockMs = 10_000;

export type RunQueue = ReturnType<typeof createRunQueue>;

/**
 * The worker's side of the queue of runs. Jobs are fetched by hand, one at a time, when the node has room: BullMQ's
 * own concurrency counts jobs, and runs differ in size.
 */
export function createRunQueue(options: {
  redis: RedisConnection;
  keys: Keys;
  workerId: string;
  log: Log;
  /** The lock of these runs was lost: somebody else may be running them. */
  onLockLost: (runIds: string[]) => void;
}) {
  const { log, workerId } = options;
  const bull = new Worker(runQueueName, null, {
    connection: options.redis,
    prefix: options.keys.bull,
    autorun: false,
    name: workerId,
    lockDuration: lockMs,
    stalledInterval: lockMs / 2,
    // How often a run may be lost is decided by its record (claim.lua), not by the queue.
    maxStalledCount: 1_000_000,
    // A blocked fetch comes up for air so often; a job wakes it at once.
    drainDelay: 1,
  });
  bull.on('error', (error) => log.warn({ reason: error.message }, 'queue'));

  // Job id → token. A token is new for each fetch, so that two fetches of one job are told apart.
  const held = new Map<string, string>();
  let fetches = 0;
  let foundNone = false;

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

  return {
    async open(): Promise<void> {
      await bull.waitUntilReady();
      await bull.startStalledCheckTimer();
    },

    /** The next job that is due; `undefined` after a while without one. */
    async next(): Promise<HeldJob | undefined> {
      fetches += 1;
      const token = `${workerId}:${fetches}`;
      const job: Job<{ id: string; outline?: RunOutline }> | undefined = await bull.getNextJob(token);
      const alone = foundNone;
      foundNone = job?.id === undefined;
      if (job?.id === undefined) return undefined;
      const id = job.id;
      held.set(id, token);
      const end = async (how: () => Promise<unknown>) => {
        held.delete(id);
        try {
          await how();
        } catch (error) {
          // The lock was lost on the way: the job is somebody else's, and the record's fence decides.
          log.warn({ run: id, reason: (error as Error).message }, 'job could not be ended');
        }
      };
      return {
        runId: job.data.id,
        outline: job.data.outline,
        alone,
        complete: () => end(() => job.moveToCompleted(null, token, false)),
        handBack: () => end(() => job.moveToWait(token)),
        delay: (ms) => end(() => job.moveToDelayed(Date.now() + ms, token)),
      };
    },

    async close(): Promise<void> {
      clearInterval(renewal);
      // worker.close() may wait for ever for its blocked connection.
      await within(2_000, bull.close(true));
    },
  };
}
