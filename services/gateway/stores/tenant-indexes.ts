import { isId } from '../../../shared/ids.ts';
import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import { giveBack } from '../../../shared/stores/give-back.ts';
import { knownTenants } from '../../../shared/stores/tenants.ts';

/** What is kept by tenant beside the records: the list of its runs, and the bytes that count against its quota. */
export function createTenantIndexStore(redis: RedisConnection, keys: Keys) {
  /** Which of these runs have a record. */
  async function existing(ids: string[]): Promise<Set<string>> {
    const found = await Promise.all(ids.map((id) => redis.exists(keys.run(id))));
    return new Set(ids.filter((_, index) => found[index] === 1));
  }

  /** Ends and removals take a run or a service out of the index and the count in one step: what is only counted was left behind. */
  async function isCounted(tenant: string, id: string): Promise<boolean> {
    return isId('run', id)
      ? (await redis.zscore(keys.tenantOpen(tenant), id)) !== null
      : (await redis.exists(keys.service(id))) === 1;
  }

  return {
    tenants: (): Promise<Set<string>> => knownTenants(redis, keys),

    existing,

    /**
     * Looks at some entries of the list of runs, and removes those whose record is gone.
     *
     * @param cursor Redis's own, of SCAN: `0` to begin with
     * @returns the next cursor, `0` after the last entries
     */
    async repairRuns(tenant: string, cursor: string, count: number): Promise<string> {
      const [next, entries] = await redis.zscan(keys.tenantRuns(tenant), cursor, 'COUNT', count);
      const ids = entries.filter((_, index) => index % 2 === 0);
      const there = await existing(ids);
      const lost = ids.filter((id) => !there.has(id));
      if (lost.length > 0) await redis.zrem(keys.tenantRuns(tenant), ...lost);
      return next;
    },

    /** The same for the bytes that are counted. */
    async repairBytes(tenant: string, cursor: string, count: number): Promise<string> {
      const [next, entries] = await redis.hscan(keys.tenantBytes(tenant), cursor, 'COUNT', count);
      const ids = entries.filter((id, index) => index % 2 === 0 && id !== 'total');
      for (const id of ids) if (!(await isCounted(tenant, id))) await giveBack(redis, keys, tenant, id);
      return next;
    },
  };
}
