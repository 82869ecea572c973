import type { Run } from '../../../shared/contracts/run.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { newId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import type { RunRecord } from '../../../shared/stores/run-record.ts';
import { type CancelParts, cancelRun } from '../runs/cancel.ts';
import type { CreateParts } from '../runs/create.ts';
import { endedRun } from '../runs/load.ts';
import { submitRun } from '../runs/submit.ts';
import { watchRun } from '../runs/watch.ts';
import type { RunEnd } from '../stores/run-end.ts';

export type RunToEndParts = CreateParts & CancelParts;

/** The longest that a timer waits. The run itself has an end, whatever happens: in the queue, at its limits, or by the janitor. */
const alwaysMs = 2 ** 31 - 1;

/**
 * Stores a run and waits for its end, in as many round trips as `Prefer: wait` takes. No `end`: the time is over, the client has gone, or
 * this gateway stops.
 */
export async function submitAndAwait(
  gateway: CreateParts,
  tenant: string,
  request: RunRequest,
  mostMs: number,
  gone: AbortSignal,
): Promise<{ record: RunRecord; end: RunEnd | undefined }> {
  const id = newId('run');
  const watch = watchRun(gateway, id);
  try {
    const { record } = await submitRun(gateway, { id, tenant, request, watched: true });
    return { record, end: await watch.ended(mostMs, [gone, gateway.stopWaiting.signal]) };
  } finally {
    watch.stop();
  }
}

/**
 * Runs to the end, however long it is queued. Its steps show their `output`.
 *
 * @param gone aborts when the client has gone: the run is cancelled then, since nobody else knows of it
 * Throws a Problem `overloaded` where this gateway stops before the end; the run is cancelled, so that it can be sent again.
 */
export async function runToEnd(
  gateway: RunToEndParts,
  tenant: string,
  request: RunRequest,
  gone: AbortSignal,
): Promise<Run> {
  const { record, end } = await submitAndAwait(gateway, tenant, request, alwaysMs, gone);
  if (end !== undefined) return endedRun(gateway, record, end, { output: true });
  await cancelUnwatched(gateway, tenant, record.head.id);
  throw new Problem('overloaded', 'The server stops before the program has ended: send it again.', {
    retryAfterSeconds: 1,
  });
}

/** Cancels a run whose client has gone. It ends by its own limits where that fails. */
export async function cancelUnwatched(gateway: CancelParts, tenant: string, id: string): Promise<void> {
  await cancelRun(gateway, tenant, id).catch((error: Error) => {
    gateway.log.warn({ run: id, reason: error.message }, 'a run that nobody waits for was not cancelled');
  });
}
