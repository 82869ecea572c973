import { runBlobs, transferKey } from '../../../shared/blobs/blob-store.ts';
import { isId, madeAt } from '../../../shared/ids.ts';
import type { Gateway } from '../gateway.ts';

export type BlobSweepParts = Pick<Gateway, 'blobs' | 'log' | 'tenantIndexes'>;

/** Blobs are rarely left behind (by a crash between two steps, or a worker that lost its run), and listing all of them is expensive. */
const everyMs = 3_600_000;
const stepRuns = 200;
/** An older transfer was given up. If its file is being read, the reader keeps it open and can finish. */
const transferMs = 3_600_000;

/**
 * Removes the artifacts of runs that are gone (an id is never used again, so one look is enough), and
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
      // The store of artifacts does not answer: the rest of the sweep does not need it.
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
