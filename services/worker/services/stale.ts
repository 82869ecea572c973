import type { Containers } from '../engine/containers.ts';
import type { Labels } from '../engine/label-set.ts';
import { labelNames } from '../labels.ts';

/**
 * Removes the container that an earlier generation of the same service left under this name: its worker died on the way, or has lost the
 * service since, and may write nothing of it any more. A container of somebody else stays.
 */
export async function removeStale(containers: Containers, name: string, labels: Labels): Promise<void> {
  const found = await containers.inspect(name);
  if (found === null) return;
  const same = [labelNames.service, labelNames.instance].every(
    (label) => found.labels[label] === labels[label],
  );
  if (same) await containers.remove(found.id);
}
