import type { Gateway } from '../gateway.ts';
import { knownTenants } from './tenants.ts';

/** Entries looked at in one sweep, per tenant; the next goes on where it stopped. */
const stepEntries = 200;
const mostTenants = 20;

/** Drops ids from tenants' lists whose record is gone (evicted, or deleted by hand). */
export function createIndexRepair(gateway: Gateway) {
  const positions = new Map<string, string>();

  return async (): Promise<void> => {
    const { redis, keys } = gateway;
    // The tenant looked at longest ago comes first: a tenant moves to the end when it is done.
    for (const tenant of await knownTenants(gateway)) if (!positions.has(tenant)) positions.set(tenant, '0');
    for (const [tenant, position] of [...positions].slice(0, mostTenants)) {
      const [next, entries] = await redis.zscan(keys.tenantRuns(tenant), position, 'COUNT', stepEntries);
      const ids = entries.filter((_, index) => index % 2 === 0);
      const there = await Promise.all(ids.map((id) => redis.exists(keys.run(id))));
      const lost = ids.filter((_, index) => there[index] === 0);
      if (lost.length > 0) await redis.zrem(keys.tenantRuns(tenant), ...lost);
      positions.delete(tenant);
      positions.set(tenant, next);
    }
  };
}
