import type { RedisConnection } from '../../../shared/redis.ts';

/** A connection without an answer so long after the end of a wait is broken, although no error has come. */
const silentMs = 5_000;

/**
 * Waits for a job and takes it. Both commands are sent in one write, so Redis gives the job out at the moment it is added, with the same
 * write to its disk. Waiting first and then asking cost each run one more round trip.
 *
 * The price: a worker that hangs, or is lost while its connection seems open, is given one more job. That job's lock expires like those
 * of the others that it holds.
 *
 * @param connection its own, since everything that is sent over it waits, too
 * @param marker BullMQ's, which is there when a job was added
 * @param seconds the longest wait
 * @param take takes the next job, over the same connection
 */
export async function takeOnceThere<T>(
  connection: RedisConnection,
  marker: string,
  seconds: number,
  take: () => Promise<T>,
): Promise<T> {
  const silence = setTimeout(
    () => {
      // A connection that is being made must be left alone: ioredis would not make it again.
      if (connection.status === 'ready') connection.disconnect(true);
    },
    seconds * 1000 + silentMs,
  );
  try {
    const [, taken] = await Promise.all([connection.bzpopmin(marker, seconds), take()]);
    return taken;
  } finally {
    clearTimeout(silence);
  }
}
