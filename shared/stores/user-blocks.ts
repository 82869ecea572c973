import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';

/** Longer than it takes until a worker is found dead and other workers have removed its containers. */
const lifeMs = 60_000;

export type UserBlockStore = ReturnType<typeof createUserBlockStore>;

/** Which worker has which block of user ids for its sandboxes. A claim that is not renewed expires. */
export function createUserBlockStore(redis: RedisConnection, keys: Keys) {
  return {
    /** `false`: another worker has it. */
    async claim(block: number, worker: string): Promise<boolean> {
      return (await redis.set(keys.userBlock(block), worker, 'PX', lifeMs, 'NX')) === 'OK';
    },

    /** `false`: another worker has it by now. */
    async renew(block: number, worker: string): Promise<boolean> {
      const holder = await redis.get(keys.userBlock(block));
      if (holder === null) return this.claim(block, worker);
      if (holder !== worker) return false;
      await redis.pexpire(keys.userBlock(block), lifeMs);
      return true;
    },

    async leave(block: number, worker: string): Promise<void> {
      if ((await redis.get(keys.userBlock(block))) === worker) await redis.del(keys.userBlock(block));
    },
  };
}
