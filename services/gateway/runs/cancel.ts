import type { Run } from '../../../shared/contracts/run.ts';
import type { Gateway } from '../gateway.ts';
import { type LoadParts, loadRun, noSuchRun, ownRecord } from './load.ts';

export type CancelParts = Pick<Gateway, 'log' | 'queue' | 'runs'> & LoadParts;

/** Ends a run that no worker has; else tells its worker. A run that has ended stays as it is. */
export async function cancelRun(gateway: CancelParts, tenant: string, id: string): Promise<Run> {
  const record = await ownRecord(gateway, tenant, id);
  const outcome = await gateway.runs.cancel(id);
  if (outcome === 'gone') throw noSuchRun(id);
  if (outcome === 'unheld') {
    // If a worker claims it at this moment, the worker finds the mark and ends the run itself.
    await gateway.runs.endUnheld(record, 'cancelled', {});
    await gateway.queue.remove(id).catch((error: Error) => {
      gateway.log.warn({ run: id, reason: error.message }, 'job of a cancelled run was not removed');
    });
  }
  return loadRun(gateway, tenant, id);
}
