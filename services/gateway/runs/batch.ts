import { z } from 'zod';
import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import type { Run } from '../../../shared/contracts/run.ts';
import type { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { newId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import { presentRun } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';
import type { Answer } from '../http/once.ts';
import { isStoreError, storeProblem } from '../http/store-errors.ts';
import { textProblem, validationProblem } from '../http/zod-problem.ts';
import { type RefuseRegistryParts, refuseRegistry } from '../refuse-registry.ts';
import type { RunEnd } from '../stores/run-end.ts';
import { preview } from './list.ts';
import { endedRun, type LoadParts, loadRun, ownRecord, shownOf } from './load.ts';
import {
  enqueue,
  type NewRun,
  type SubmitParts,
  type Submitted,
  storeRun,
  withMadeSecret,
} from './submit.ts';
import { type Watch, type WatchParts, watchOther, watchRun } from './watch.ts';

export type BatchParts = Pick<Gateway, 'preview' | 'stopWaiting'> &
  RefuseRegistryParts &
  LoadParts &
  SubmitParts &
  WatchParts;

type RunSchema = ReturnType<typeof runRequestSchema>;

/** The body as a whole; each run is validated by itself, so that one bad run keeps no other out. */
export const batchBody = z.strictObject({ runs: z.array(z.unknown()).min(1).max(100) });

/** What the document says of it. */
export const batchDocumentBody = (one: z.ZodType) =>
  z.strictObject({ runs: z.array(one).min(1).max(100) }).meta({ id: 'Batch' });

const nothing = new Map();

/** The most bytes of an answer whose runs are shown with all of their output; those after it are shown as in a list. */
const maxWholeBytes = 8 * 1024 * 1024;

type BatchOrder = {
  tenant: string;
  schema: RunSchema;
  items: unknown[];
  /** How long the answer waits for the ends of all of them. */
  waitMs: number;
  /** The client has gone. */
  gone: AbortSignal;
};

/** Stores and enqueues what is valid of it; waits for all of their ends if asked to. */
export async function createBatch(
  gateway: BatchParts,
  { tenant, schema, items, waitMs, gone }: BatchOrder,
  idempotencyDigest: string | undefined,
): Promise<Answer> {
  // Ids are taken in the order of the batch, so a list shows it in that order.
  const requests = items.map((item) => ({ id: newId('run'), parsed: schema.safeParse(item) }));
  const watches = new Map<string, Watch>();
  try {
    const began = performance.now();
    const outcomes = await Promise.all(
      requests.map(({ id, parsed }, index) => {
        const fault = textProblem(items[index]);
        if (fault !== undefined) return fault;
        if (!parsed.success)
          return validationProblem(parsed.error, { schema, value: items[index], subject: 'the run' });
        if (waitMs > 0) watches.set(id, watchRun(gateway, id));
        const idempotency = idempotencyDigest && { digest: idempotencyDigest, field: `run:${index}` };
        return store(gateway, {
          id,
          tenant,
          request: parsed.data,
          watched: waitMs > 0,
          ...(idempotency && { idempotency }),
        });
      }),
    );
    const stored = outcomes.filter((outcome): outcome is Submitted => !(outcome instanceof Problem));
    await enqueue(gateway, stored);
    const left = waitMs - (performance.now() - began);
    const ends = new Map<string, RunEnd | undefined>();
    if (waitMs > 0)
      await Promise.all(
        stored.map(async ({ id }) => {
          // Not ours: an earlier request with the same key made it, and was lost before it could answer.
          const watch = watches.get(id) ?? watchOther(gateway, id);
          watches.set(id, watch);
          ends.set(id, await watch.ended(left, [gone, gateway.stopWaiting.signal]));
        }),
      );
    const results: string[] = [];
    let bytes = 0;
    // One after another, so that what is held of long outputs is bounded.
    for (const outcome of outcomes) {
      const body =
        outcome instanceof Problem
          ? outcome.toBody()
          : await present(gateway, tenant, outcome, {
              waited: waitMs > 0,
              end: ends.get(outcome.id),
              whole: bytes < maxWholeBytes,
            });
      results.push(JSON.stringify(body));
      bytes += results.at(-1)?.length ?? 0;
    }
    return {
      status: 207,
      body: `{"results":[${results.join(',')}]}`,
      holdsSecret: stored.some(({ madeSecret }) => madeSecret !== undefined),
    };
  } finally {
    for (const watch of watches.values()) watch.stop();
  }
}

async function store(gateway: BatchParts, run: NewRun): Promise<Submitted | Problem> {
  try {
    await refuseRegistry(gateway, run.request);
    return await storeRun(gateway, run);
  } catch (error) {
    if (error instanceof Problem) return error;
    if (isStoreError(error)) return storeProblem(error);
    throw error;
  }
}

/** A run of the batch, as it is when the answer is given. */
async function present(
  gateway: BatchParts,
  tenant: string,
  submitted: Submitted,
  { waited, end, whole }: { waited: boolean; end: RunEnd | undefined; whole: boolean },
): Promise<Run | ProblemBody> {
  const { id, outcome, record } = submitted;
  const created = () => withMadeSecret(presentRun(record, nothing, shownOf(record)), submitted);
  if (outcome === 'created' && !waited) return created();
  try {
    if (!whole)
      return withMadeSecret(await preview(gateway, await ownRecord(gateway, tenant, id)), submitted);
    if (outcome === 'created') return withMadeSecret(await endedRun(gateway, record, end), submitted);
    return await loadRun(gateway, tenant, id);
  } catch (error) {
    // It is stored, whatever happened to Redis or to the run since.
    if (outcome === 'created') return created();
    if (error instanceof Problem) return error.toBody();
    throw error;
  }
}
