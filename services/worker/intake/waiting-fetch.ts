import { Job, type JobJson, Worker, type WorkerOptions } from 'bullmq';
import { inOneWrite, type RedisConnection } from '../../../shared/redis.ts';
import type { RunOutline } from '../../../shared/stores/run-record.ts';

export type RunJob = Job<{ id: string; outline?: RunOutline }>;

/** Jobs whose data cannot be read are jobs all the same: without an outline, so that their runs are looked up. */
export class RunWorker extends Worker {
  protected override createJob(data: JobJson, id: string): RunJob {
    return jobFrom(this, data, id);
  }
}

function jobFrom(worker: Worker, data: JobJson, id: string): RunJob {
  try {
    return Job.fromJSON(worker, data, id);
  } catch {
    return Job.fromJSON(worker, { ...data, data: '{}' }, id);
  }
}

/** What is asked for by one worker, and ended by another: over its connection, which does not wait. */
class Asker extends Worker {
  readonly #ender: Worker;

  constructor(name: string, options: WorkerOptions, ender: Worker) {
    super(name, null, options);
    this.#ender = ender;
  }

  protected override createJob(data: JobJson, id: string): RunJob {
    return jobFrom(this.#ender, data, id);
  }
}

/** A connection that has said nothing for so long after the end of a wait is broken, though nobody has heard of it. */
const silentMs = 5_000;

/**
 * Waits for a job and fetches it. Both are sent at once, so Redis fetches in the moment in which the job is added, with the same write
 * to its disk, and before anybody has heard of it. To be woken first, and to ask then, was a round trip of every run.
 *
 * The price: a worker that hangs, or is lost without its connection's end being noticed, is given one more job. Its lock runs
 * out like those of the others that it holds.
 *
 * @param connection its own: what is sent over it waits as long
 * @param ender ends the jobs, and renews their locks
 */
export function createWaitingFetch(
  connection: RedisConnection,
  queueName: string,
  options: Pick<WorkerOptions, 'prefix' | 'name' | 'lockDuration'>,
  ender: Worker,
) {
  const asker = new Asker(queueName, { ...options, connection, autorun: false }, ender);
  const marker = ender.toKey('marker');

  return {
    asker,

    /**
     * @param seconds the longest wait
     * @param along called as soon as the question is sent: what it sends over the same connection is carried out right after it
     */
    async fetch(token: string, seconds: number, along: () => void): Promise<RunJob | undefined> {
      const silence = setTimeout(
        () => {
          // While it is being made anew it must be left alone: ioredis would give it up.
          if (connection.status === 'ready') connection.disconnect(true);
        },
        seconds * 1000 + silentMs,
      );
      try {
        const [, job] = await inOneWrite(connection, () => {
          const woken = connection.bzpopmin(marker, seconds);
          const asked: Promise<RunJob | undefined> = asker.getNextJob(token, { block: false });
          // BullMQ has some promises to await before it sends.
          process.nextTick(along);
          return Promise.all([woken, asked]);
        });
        return job;
      } finally {
        clearTimeout(silence);
      }
    },
  };
}
