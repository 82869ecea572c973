import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';

/** The index of runs that have ended and are kept, by the time of their end. */
export function createEndedRunStore(redis: RedisConnection, keys: Keys) {
  return {
    oldest: (count: number): Promise<string[]> => redis.zrange(keys.finished, 0, String(count - 1)),

    /** @param time in ms */
    endedBefore: (time: number, count: number): Promise<string[]> =>
      redis.zrangebyscore(keys.finished, '-inf', `(${time}`, 'LIMIT', 0, count),

    count: (): Promise<number> => redis.zcard(keys.finished),

    /** Bytes of output, artifacts and requests, all of them together. */
    bytes: async (): Promise<number> => Number((await redis.hget(keys.stats, 'retainedBytes')) ?? 0),

    /** Takes it out of the index, and leaves its record. */
    async remove(id: string): Promise<void> {
      await redis.zrem(keys.finished, id);
    },

    /** For one whose record is broken: takes away its keys without asking what is in them. */
    async drop(id: string): Promise<void> {
      await redis.zrem(keys.finished, id);
      await redis.del(keys.run(id), keys.spec(id), keys.events(id));
    },
  };
}
