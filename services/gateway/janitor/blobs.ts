import { runBlobs, transferKey } from '../../../shared/blobs/blob-store.ts';
import { isId, madeAt } from '../../../shared/ids.ts';
import type { Gateway } from '../gateway.ts';

export type BlobSweepParts = Pick<Gateway, 'blobs' | 'log' | 'tenantIndexes'>;

/** What leaves blobs behind (a crash between two steps, a worker that lost its run) is rare; listing them all is dear. */
const everyMs = 3_600_000;
const stepRuns = 200;
/** A transfer that is older was given up; one that is read by now is read on, wherever it lies. */
const transferMs = 3_600_000;

/**
 * Removes the artifacts of runs that are no more (an id never comes back, so what is looked up once is certain), and
 * files on their way to or from a service that nobody waits for.
 */
export function createBlobSweep(gateway: BlobSweepParts) {
  let nextAt = 0;

  return async (now: number): Promise<void> => {
    if (now < nextAt) return;
    nextAt = now + everyMs;
    try {
      for await (const tenant of gateway.blobs.list('')) await sweepTenant(gateway, tenant, now);
    } catch (error) {
      // The store of artifacts is away: the rest of the sweep has nothing to do with it.
      gateway.log.warn({ reason: (error as Error).message }, 'artifacts were not swept');
    }
  };
}

async function sweepTenant(gateway: BlobSweepParts, tenant: string, now: number): Promise<void> {
  let step: string[] = [];
  const sweep = async () => {
    const there = await gateway.tenantIndexes.existing(step);
    for (const id of step) if (!there.has(id)) await gateway.blobs.removeAll(runBlobs(tenant, id));
    step = [];
  };
  for await (const id of gateway.blobs.list(tenant)) {
    if (isId('trf', id)) {
      if (madeAt(id) < now - transferMs) await gateway.blobs.removeAll(transferKey(tenant, id));
      continue;
    }
    step.push(id);
    if (step.length === stepRuns) await sweep();
  }
  await sweep();
}
