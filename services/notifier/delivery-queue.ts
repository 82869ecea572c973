import { DelayedError, Job, Queue, Worker } from 'bullmq';
import { deliveryQueueName, type Keys } from '../../shared/keys.ts';
import type { Log } from '../../shared/log.ts';
import type { RedisConnection } from '../../shared/redis.ts';
import { within } from '../../shared/within.ts';
import type { Deliver } from './deliver.ts';

export type DeliveryQueue = ReturnType<typeof createDeliveryQueue>;

/**
 * The queue of deliveries: a job is a delivery's id, and lives as long as it is pending. The delivery's record decides what is done;
 * a job that comes twice, or is lost and added anew, does no harm.
 */
export function createDeliveryQueue(options: {
  redis: RedisConnection;
  keys: Keys;
  concurrency: number;
  /** How long a try is its notifier's without renewal: if that one was killed, another begins the try again after this. */
  lockMs: number;
  deliver: Deliver;
  log: Log;
}) {
  const { redis, keys, log } = options;
  let abandoning = false;
  const common = { connection: redis, prefix: keys.bull };
  const queue = new Queue<{ id: string }>(deliveryQueueName, {
    ...common,
    // Nobody reads the queue's event stream.
    streams: { events: { maxLen: 100 } },
  });
  const worker = new Worker<{ id: string }>(
    deliveryQueueName,
    async (job, token) => {
      const at = await options.deliver(job.data.id).catch((error: Error) => {
        // This notifier stops and breaks the try off: the next one shall begin it again, and soon.
        if (abandoning) return Date.now();
        throw error;
      });
      if (at === undefined) return;
      await job.moveToDelayed(at, token);
      throw new DelayedError();
    },
    {
      ...common,
      autorun: false,
      concurrency: options.concurrency,
      lockDuration: options.lockMs,
      stalledInterval: Math.round(options.lockMs / 2),
      // How often a delivery is tried is decided by its record.
      maxStalledCount: 1_000_000,
    },
  );
  const warn = (error: Error) => log.warn({ reason: error.message }, 'queue of deliveries');
  queue.on('error', warn);
  worker.on('error', warn);
  // Redis was away, or a fault of ours: the delivery is still pending, and the sweep gives it a job again.
  worker.on('failed', (job, error) =>
    log.warn({ delivery: job?.id, reason: error.message }, 'try was dropped'),
  );

  const jobOf = (id: string, delayMs: number) => ({
    name: 'delivery',
    data: { id },
    opts: { jobId: id, delay: delayMs, attempts: 1, removeOnComplete: true, removeOnFail: true },
  });

  return {
    async open(): Promise<void> {
      await queue.waitUntilReady();
      await worker.waitUntilReady();
      void worker.run().catch((error: Error) => log.error({ reason: error.message }, 'queue ended'));
    },

    /** Adding the same delivery twice makes one job. */
    async add(deliveries: { id: string; delayMs: number }[]): Promise<void> {
      if (deliveries.length > 0) await queue.addBulk(deliveries.map(({ id, delayMs }) => jobOf(id, delayMs)));
    },

    /** To be tried now: its job is brought forward, or made. */
    async hurry(id: string): Promise<void> {
      const job = await queue.getJob(id);
      if (job === undefined) await this.add([{ id, delayMs: 0 }]);
      else if (await job.isDelayed()) await this.bringForward(id);
    },

    /** A job that waits for its time comes now. If it has just become due or been taken, nothing is to be done. */
    async bringForward(id: string): Promise<void> {
      const { name, data, opts } = jobOf(id, 0);
      await new Job(queue, name, data, opts, id).promote().catch(() => {});
    },

    /**
     * Those of these deliveries that will not be tried before `ms` (since the epoch). They have no job, or one that waits for longer,
     * because no notifier heard the hint that they are due now.
     */
    async overlooked(ids: string[], ms: number): Promise<string[]> {
      const found = await Promise.all(
        ids.map(async (id) => {
          const [exists, score] = await Promise.all([
            redis.exists(queue.toKey(id)),
            redis.zscore(queue.toKey('delayed'), id),
          ]);
          return exists === 1 && (score === null || dueAt(score) <= ms);
        }),
      );
      return ids.filter((_, index) => !found[index]);
    },

    /** From now on no try is begun. */
    takeNoMore(): void {
      void worker.pause(true).catch(warn);
    },

    /**
     * Takes nothing more, and waits `ms` at most for the tries that are under way.
     *
     * @param abandon breaks off those that have not ended by then
     */
    async close(ms: number, abandon: () => Promise<void>): Promise<void> {
      const closed = worker.close();
      await within(ms, closed);
      abandoning = true;
      await abandon();
      await within(1_000, closed);
      await within(1_000, queue.close());
    },
  };
}

/** BullMQ orders delayed jobs by their time, and those of the same ms by a number in the last 12 bits. */
const dueAt = (score: string) => Number(score) / 0x1000;
