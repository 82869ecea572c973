import { Queue } from 'bullmq';
import { type Keys, runQueueName } from '../../shared/keys.ts';
import type { Log } from '../../shared/log.ts';
import type { RedisConnection } from '../../shared/redis.ts';
import { jobName, jobOptions, jobPriority, type RunJobData } from '../../shared/stores/run-jobs.ts';

export type QueuedRun = RunJobData & { priority: number; delayMs: number };

export type RunQueue = ReturnType<typeof createRunQueue>;

/** The gateway's side of the queue of runs. A run that can be taken at once is stored with its job (create.lua), and is not added here. */
export function createRunQueue(redis: RedisConnection, keys: Keys, log: Log) {
  const queue = new Queue(runQueueName, {
    connection: redis,
    prefix: keys.bull,
    // Nobody reads the queue's event stream: runs have their own.
    streams: { events: { maxLen: 100 } },
  });
  queue.on('error', (error) => log.warn({ reason: error.message }, 'queue'));

  const jobOf = ({ id, priority, delayMs, outline }: QueuedRun) => ({
    name: jobName,
    data: { id, outline },
    opts: { ...jobOptions, jobId: id, priority: jobPriority(priority), delay: delayMs },
  });

  async function add(run: QueuedRun): Promise<void> {
    const { name, data, opts } = jobOf(run);
    await queue.add(name, data, opts);
  }

  return {
    open: () => queue.waitUntilReady(),

    /** Adding the same run twice makes one job. */
    add,

    async addMany(runs: QueuedRun[]): Promise<void> {
      const [first] = runs;
      if (first === undefined) return;
      // One script instead of a transaction around it.
      if (runs.length === 1) await add(first);
      else await queue.addBulk(runs.map(jobOf));
    },

    /** A job that a worker has taken stays: the worker finds out from the run's record. */
    async remove(id: string): Promise<void> {
      await queue.remove(id);
    },

    /** Which of these runs still have a job. */
    async having(ids: string[]): Promise<Set<string>> {
      const found = await Promise.all(ids.map((id) => redis.exists(queue.toKey(id))));
      return new Set(ids.filter((_, index) => found[index] === 1));
    },

    /** Jobs by state: waiting (prioritised ones too), delayed, active. */
    async depth(): Promise<Record<string, number>> {
      return queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active');
    },

    close: () => queue.close(),
  };
}
