import { isId } from '../../../shared/ids.ts';
import { giveBack } from '../../../shared/stores/give-back.ts';
import type { Gateway } from '../gateway.ts';
import { knownTenants } from './tenants.ts';

/** Entries looked at in one sweep, per tenant; the next goes on where it stopped. */
const stepEntries = 200;
const maxTenants = 20;

type Position = { runs: string; bytes: string };
const start: Position = { runs: '0', bytes: '0' };

/** Drops ids from tenants' lists whose record is gone (evicted, or deleted by hand), and from what is counted what is there no more. */
export function createIndexRepair(gateway: Gateway) {
  const positions = new Map<string, Position>();

  return async (): Promise<void> => {
    const { redis, keys } = gateway;
    // The tenant looked at longest ago comes first: a tenant moves to the end when it is done.
    for (const tenant of await knownTenants(gateway))
      if (!positions.has(tenant)) positions.set(tenant, start);
    for (const [tenant, { runs, bytes }] of [...positions].slice(0, maxTenants)) {
      const [next, entries] = await redis.zscan(keys.tenantRuns(tenant), runs, 'COUNT', stepEntries);
      const ids = entries.filter((_, index) => index % 2 === 0);
      const there = await Promise.all(ids.map((id) => redis.exists(keys.run(id))));
      const lost = ids.filter((_, index) => there[index] === 0);
      if (lost.length > 0) await redis.zrem(keys.tenantRuns(tenant), ...lost);
      positions.delete(tenant);
      positions.set(tenant, { runs: next, bytes: await repairBytes(gateway, tenant, bytes) });
    }
  };
}

/** Whoever ends a run takes it out of both in one step: what is in one alone has been left behind. */
async function repairBytes({ redis, keys }: Gateway, tenant: string, position: string): Promise<string> {
  const [next, entries] = await redis.hscan(keys.tenantBytes(tenant), position, 'COUNT', stepEntries);
  const ids = entries.filter((id, index) => index % 2 === 0 && id !== 'total');
  for (const id of ids) {
    const there = isId('run', id)
      ? (await redis.zscore(keys.tenantOpen(tenant), id)) !== null
      : (await redis.exists(keys.service(id))) === 1;
    if (!there) await giveBack(redis, keys, tenant, id);
  }
  return next;
}
