import type { Run } from '../../../shared/contracts/run.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { newId } from '../../../shared/ids.ts';
import { isTerminal } from '../../../shared/run-states.ts';
import { presentRun, type Shown } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';
import type { Answer } from '../http/once.ts';
import { endedRun, type LoadParts, loadRun, shownOf } from './load.ts';
import { type SubmitParts, submitRun, withMadeSecret } from './submit.ts';
import { type WatchParts, watchOther, watchRun } from './watch.ts';

export type CreateParts = Pick<Gateway, 'stopWaiting'> & LoadParts & SubmitParts & WatchParts;

const nothing = new Map();
const pathOf = (id: string) => `/v1/runs/${id}`;

/** What to run, and how its creator is answered. */
export type RunOrder = {
  tenant: string;
  request: RunRequest;
  /** How long the answer waits for its end. */
  waitMs: number;
  /** The client has gone. */
  gone: AbortSignal;
  shown?: Shown;
};

/** Stores and enqueues one run; waits for its end if asked to. */
export async function createRun(
  gateway: CreateParts,
  { tenant, request, waitMs, gone, shown }: RunOrder,
  idempotencyDigest: string | undefined,
): Promise<Answer> {
  const id = newId('run');
  let watch = waitMs > 0 ? watchRun(gateway, id) : undefined;
  try {
    const began = performance.now();
    const stored = await submitRun(gateway, {
      id,
      tenant,
      request,
      ...(idempotencyDigest !== undefined && { idempotency: { digest: idempotencyDigest, field: 'run' } }),
      watched: watch !== undefined,
    });
    const earlier = stored.outcome === 'exists';
    if (earlier && watch !== undefined) {
      // An earlier request with this key made the run, and was lost before it could answer.
      watch.stop();
      watch = watchOther(gateway, stored.id);
    }
    const answer = (status: number, run: Run): Answer => ({
      status,
      body: JSON.stringify(withMadeSecret(run, stored)),
      location: pathOf(stored.id),
      holdsSecret: stored.madeSecret !== undefined,
    });
    const created = () => presentRun(stored.record, nothing, shownOf(stored.record, shown));
    if (!earlier && watch === undefined) return answer(202, created());
    const left = waitMs - (performance.now() - began);
    const end = await watch?.ended(left, [gone, gateway.stopWaiting.signal]);
    try {
      const run = earlier
        ? await loadRun(gateway, tenant, stored.id, shown)
        : await endedRun(gateway, stored.record, end, shown);
      return answer(end !== undefined && isTerminal(run.status) ? 200 : 202, run);
    } catch (error) {
      if (earlier) throw error;
      // A 202 says that the run is stored, and it is, whatever happened to Redis or to the run since.
      return answer(202, created());
    }
  } finally {
    watch?.stop();
  }
}
