import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { newId } from '../../../shared/ids.ts';
import { isTerminal } from '../../../shared/run-states.ts';
import { presentRun } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';
import { loadRun } from './load.ts';
import type { Answer } from './once.ts';
import { enqueue, storeRun } from './submit.ts';
import { watchRun } from './watch.ts';

const nothing = new Map();
const pathOf = (id: string) => `/v1/runs/${id}`;

/** Stores and enqueues one run; waits for its end if asked to. */
export async function createRun(
  gateway: Gateway,
  tenant: string,
  request: RunRequest,
  waitMs: number,
  idempotencyDigest: string | undefined,
  gone: AbortSignal,
): Promise<Answer> {
  const id = newId('run');
  let watch = waitMs > 0 ? watchRun(gateway, id) : undefined;
  try {
    const began = performance.now();
    const [stored] = await Promise.all([
      storeRun(gateway, {
        id,
        tenant,
        request,
        ...(idempotencyDigest !== undefined && { idempotency: { digest: idempotencyDigest, field: 'run' } }),
      }),
      watch?.ready(),
    ]);
    if (stored.outcome === 'exists' && watch !== undefined) {
      // An earlier request with this key made the run, and died before it could answer.
      watch.stop();
      watch = watchRun(gateway, stored.id);
    }
    await enqueue(gateway, [stored]);
    if (stored.outcome === 'created' && watch === undefined)
      return { status: 202, body: JSON.stringify(presentRun(stored.record, nothing)), location: pathOf(id) };
    const left = waitMs - (performance.now() - began);
    const ended = await watch?.ended(
      left,
      AbortSignal.any([gone, gateway.hurry.signal]),
      stored.outcome === 'exists',
    );
    try {
      const run = await loadRun(gateway, tenant, stored.id);
      const status = ended === true && isTerminal(run.status) ? 200 : 202;
      return { status, body: JSON.stringify(run), location: pathOf(stored.id) };
    } catch (error) {
      if (stored.outcome === 'exists') throw error;
      // It is stored, and that is what a 202 says, whatever happened to Redis (or to the run) since.
      return { status: 202, body: JSON.stringify(presentRun(stored.record, nothing)), location: pathOf(id) };
    }
  } finally {
    watch?.stop();
  }
}
