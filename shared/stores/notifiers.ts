import type { Keys } from '../keys.ts';
import type { Log } from '../log.ts';
import type { RedisConnection } from '../redis.ts';

const heartbeatMs = 2_000;
/** A notifier that was not heard from for this long counts as dead. */
const lifeMs = 8_000;

/** The register of notifiers: who delivers webhooks at present. */
export function createNotifierStore(redis: RedisConnection, keys: Keys) {
  const say = (id: string) =>
    redis
      .multi()
      .zadd(keys.notifiers, Date.now(), id)
      .zremrangebyscore(keys.notifiers, 0, Date.now() - lifeMs)
      .exec();

  return {
    /** Reports that this notifier is alive, until the returned function is called. */
    async beat(id: string, log: Log): Promise<() => Promise<void>> {
      await say(id);
      const timer = setInterval(() => {
        say(id).catch((error: Error) => log.warn({ reason: error.message }, 'heartbeat failed'));
      }, heartbeatMs);
      return async () => {
        clearInterval(timer);
        await redis.zrem(keys.notifiers, id).catch(() => {});
      };
    },

    async count(): Promise<number> {
      return redis.zcount(keys.notifiers, Date.now() - lifeMs, '+inf');
    },
  };
}
