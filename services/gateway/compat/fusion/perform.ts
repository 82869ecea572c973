import type { Run } from '../../../../shared/contracts/run.ts';
import type { RunRequest } from '../../../../shared/contracts/run-request.ts';
import { newId } from '../../../../shared/ids.ts';
import { Problem } from '../../../../shared/problems.ts';
import { cancelRun } from '../../runs/cancel.ts';
import { endedRun } from '../../runs/load.ts';
import { submitRun } from '../../runs/submit.ts';
import { watchRun } from '../../runs/watch.ts';
import type { CompatParts } from '../protocol.ts';

/** The longest time of a timer. The run itself has an end, whatever happens: in the queue, at its limits, or by the janitor. */
const alwaysMs = 2 ** 31 - 1;

/**
 * Stores a run and waits for its end, however long it is queued. Nobody could ask for it later: so it is cancelled if the client goes,
 * or the gateway stops. Then a Problem `overloaded` is thrown, by which the client sends it again.
 */
export async function performRun(
  gateway: CompatParts,
  tenant: string,
  request: RunRequest,
  gone: AbortSignal,
): Promise<Run> {
  const id = newId('run');
  const watch = watchRun(gateway, id);
  try {
    const { record } = await submitRun(gateway, { id, tenant, request, watched: true });
    const end = await watch.ended(alwaysMs, [gone, gateway.stopWaiting.signal]);
    if (end !== undefined) return await endedRun(gateway, record, end);
    await cancelRun(gateway, tenant, id);
    throw new Problem('overloaded', 'The server stops, and the run was cancelled: send it again.', {
      retryAfterSeconds: 1,
    });
  } finally {
    watch.stop();
  }
}
