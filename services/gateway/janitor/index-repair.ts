import type { Gateway } from '../gateway.ts';

/** Entries looked at in one sweep, per tenant; the next sweep goes on where this one stopped. */
const stepEntries = 200;
const maxTenants = 20;

type Position = { runs: string; bytes: string };
const start: Position = { runs: '0', bytes: '0' };

/** Drops ids from tenants' lists whose record is gone (evicted, or deleted by hand), and bytes from tenants' counts of what is gone. */
export function createIndexRepair({ tenantIndexes }: Pick<Gateway, 'tenantIndexes'>) {
  const positions = new Map<string, Position>();

  return async (): Promise<void> => {
    for (const tenant of await tenantIndexes.tenants())
      if (!positions.has(tenant)) positions.set(tenant, start);
    // A map keeps the order of insertion, and each tenant is inserted anew below: the one looked at longest ago comes first.
    for (const [tenant, { runs, bytes }] of [...positions].slice(0, maxTenants)) {
      const next = await tenantIndexes.repairRuns(tenant, runs, stepEntries);
      positions.delete(tenant);
      positions.set(tenant, {
        runs: next,
        bytes: await tenantIndexes.repairBytes(tenant, bytes, stepEntries),
      });
    }
  };
}
