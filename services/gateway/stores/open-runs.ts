import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import type { RunStatus } from '../../../shared/run-states.ts';
import { isStoreError } from '../../../shared/store-errors.ts';
import { giveBack } from '../../../shared/stores/give-back.ts';
import { knownTenants } from '../../../shared/stores/tenants.ts';

/** What is known of a run that has not ended without reading its request. */
export type OpenRunGlance = {
  id: string;
  /** `null`: there is no record. It may be no status that there is. */
  status: RunStatus | null;
  worker: string | null;
  cancelRequested: boolean;
  losses: number;
  /** In ms. */
  dueAt: number;
};

/** The index of runs that have not ended. It can name runs whose record is gone, or is broken. */
export function createOpenRunStore(redis: RedisConnection, keys: Keys) {
  async function glance(id: string): Promise<OpenRunGlance> {
    const [status = null, worker = null, cancel = null, losses, dueAt] = await redis
      .hmget(keys.run(id), 'status', 'worker', 'cancel', 'losses', 'dueAt')
      .catch((error) => {
        if (isStoreError(error)) throw error;
        // The value at this key is no hash, so it is no record.
        return ['broken'];
      });
    return {
      id,
      status: status as RunStatus | null,
      worker,
      cancelRequested: cancel !== null,
      losses: Number(losses ?? 0),
      dueAt: Number(dueAt ?? 0),
    };
  }

  return {
    /** Ids by the time at which the runs are due. */
    ids: (offset: number, count: number): Promise<string[]> =>
      redis.zrange(keys.open, offset, String(offset + count - 1)),

    glance: (ids: string[]): Promise<OpenRunGlance[]> => Promise.all(ids.map(glance)),

    /** Takes out of the index, and of its tenant's quota, a run that has no record. */
    async drop(id: string): Promise<void> {
      await redis.zrem(keys.open, id);
      // Only the record names the tenant.
      for (const tenant of await knownTenants(redis, keys)) await giveBack(redis, keys, tenant, id);
    },
  };
}
