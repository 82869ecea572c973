import type { Engine } from '../engine/engine.ts';
import type { Labels } from '../engine/label-set.ts';
import { labelNames } from '../labels.ts';

/**
 * Takes away what an earlier generation of the same service left under this name: its worker died on the way, or has lost the service
 * since, and may write nothing of it any more. What is a stranger's stays.
 */
export async function removeStale(engine: Engine, name: string, labels: Labels): Promise<void> {
  const found = await engine.containers.inspect(name);
  if (found === null) return;
  const same = [labelNames.service, labelNames.instance].every(
    (label) => found.labels[label] === labels[label],
  );
  if (same) await engine.containers.remove(found.id);
}
