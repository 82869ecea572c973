import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import type { RunStatus } from '../../../shared/run-states.ts';
import { isStoreError } from '../../../shared/store-errors.ts';

/** What a list asks of a run before it reads the whole of it. */
export type RunGlance = { id: string; status: RunStatus | null; requestBytes: number };

export function createRunListStore(redis: RedisConnection, keys: Keys) {
  async function glance(id: string): Promise<RunGlance> {
    const key = keys.run(id);
    const [status, ...sizes] = await Promise.all([
      redis.hget(key, 'status'),
      redis.hstrlen(key, 'head'),
      redis.hstrlen(key, 'payload'),
    ]).catch((error) => {
      if (isStoreError(error)) throw error;
      // The value at this key is no hash, so it is no record.
      return [null, 0, 0] as const;
    });
    return { id, status: status as RunStatus | null, requestBytes: sizes[0] + sizes[1] };
  }

  return {
    /** In one round trip, and without the requests. */
    glance: (ids: string[]): Promise<RunGlance[]> => Promise.all(ids.map(glance)),
  };
}
