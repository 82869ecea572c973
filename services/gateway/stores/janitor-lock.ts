import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';

/** Of all gateways one sweeps at a time. */
export function createJanitorLock(redis: RedisConnection, keys: Keys) {
  return {
    /** @param ms after which the lock ends by itself. False: another gateway has it. */
    async take(holder: string, ms: number): Promise<boolean> {
      return (await redis.set(keys.janitor, holder, 'PX', ms, 'NX')) === 'OK';
    },
  };
}
