import type { PullEvent } from '../contracts/events.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';

/** A pull that nothing is heard of for so long is not shown any more: its worker may be gone. */
const keptMs = 15_000;

/** How far the pulls are that services wait for, told by their workers. */
export function createServicePullStore(redis: RedisConnection, keys: Keys) {
  return {
    async tell(service: string, pull: PullEvent): Promise<void> {
      await redis.set(keys.servicePull(service), JSON.stringify(pull), 'PX', keptMs);
    },
    async over(service: string): Promise<void> {
      await redis.del(keys.servicePull(service));
    },
    async read(service: string): Promise<PullEvent | null> {
      const text = await redis.get(keys.servicePull(service));
      return text === null ? null : (JSON.parse(text) as PullEvent);
    },
  };
}

export type ServicePullStore = ReturnType<typeof createServicePullStore>;
