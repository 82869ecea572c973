import { Job, type JobJson, Worker, type WorkerOptions } from 'bullmq';
import { inOneWrite, type RedisConnection } from '../../../shared/redis.ts';
import type { RunOutline } from '../../../shared/stores/run-record.ts';

export type RunJob = Job<{ id: string; outline?: RunOutline }>;

/** A job whose data cannot be read is fetched without its outline, and its run is looked up. */
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

/** Fetches jobs that another BullMQ worker ends, since this one's connection may be blocked. */
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

/** A connection without an answer so long after the end of a wait is broken, although no error has come. */
const silentMs = 5_000;

/**
 * Waits for a job and fetches it. Both commands are sent at once, so Redis fetches the job at the moment it is added, with the same
 * write to its disk. Waiting first and then asking cost each run one more round trip.
 *
 * The price: a worker that hangs, or is lost while its connection seems open, is given one more job. That job's lock expires like those
 * of the others that it holds.
 *
 * @param connection its own, since everything that is sent over it waits, too
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
     * @param along called as soon as the fetch is sent. Redis carries out right after it what this sends over the same connection
     */
    async fetch(token: string, seconds: number, along: () => void): Promise<RunJob | undefined> {
      const silence = setTimeout(
        () => {
          // A connection that is being made must be left alone: ioredis would not make it again.
          if (connection.status === 'ready') connection.disconnect(true);
        },
        seconds * 1000 + silentMs,
      );
      try {
        const [, job] = await inOneWrite(connection, () => {
          const woken = connection.bzpopmin(marker, seconds);
          const asked: Promise<RunJob | undefined> = asker.getNextJob(token, { block: false });
          // BullMQ awaits some promises before it sends (bullmq 6.7.0: package.json names exactly that version).
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
