import { z } from 'zod';
import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import type { Run } from '../../../shared/contracts/run.ts';
import type { RunRequest, runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { newId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import { presentRun } from '../../../shared/stores/run-record.ts';
import type { Answer } from '../http/once.ts';
import { isStoreError, storeProblem } from '../http/store-errors.ts';
import { textProblem, validationProblem } from '../http/zod-problem.ts';
import { type RefuseRegistryParts, refuseRegistry } from '../refuse-registry.ts';
import { type LoadParts, loadRun } from './load.ts';
import { enqueue, type SubmitParts, type Submitted, storeRun, withMadeSecret } from './submit.ts';

export type BatchParts = RefuseRegistryParts & LoadParts & SubmitParts;

type RunSchema = ReturnType<typeof runRequestSchema>;

/** The body as a whole; each run is validated by itself, so that one bad run keeps no other out. */
export const batchBody = z.strictObject({ runs: z.array(z.unknown()).min(1).max(100) });

export const batchDocumentBody = (one: RunSchema) =>
  z.strictObject({ runs: z.array(one).min(1).max(100) }).meta({ id: 'Batch' });

const nothing = new Map();

export async function createBatch(
  gateway: BatchParts,
  tenant: string,
  schema: RunSchema,
  items: unknown[],
  idempotencyDigest: string | undefined,
): Promise<Answer> {
  // Ids are taken in the order of the batch, so a list shows it in that order.
  const requests = items.map((item) => ({ id: newId('run'), parsed: schema.safeParse(item) }));
  const outcomes = await Promise.all(
    requests.map(({ id, parsed }, index) => {
      const fault = textProblem(items[index]);
      if (fault !== undefined) return fault;
      return parsed.success
        ? store(gateway, tenant, id, parsed.data, index, idempotencyDigest)
        : validationProblem(parsed.error, undefined, 'the run');
    }),
  );
  const stored = outcomes.filter((outcome): outcome is Submitted => !(outcome instanceof Problem));
  await enqueue(gateway, stored);
  const results = await Promise.all(
    outcomes.map((outcome) =>
      outcome instanceof Problem ? outcome.toBody() : present(gateway, tenant, outcome),
    ),
  );
  return {
    status: 207,
    body: JSON.stringify({ results }),
    holdsSecret: stored.some(({ madeSecret }) => madeSecret !== undefined),
  };
}

async function store(
  gateway: BatchParts,
  tenant: string,
  id: string,
  request: RunRequest,
  index: number,
  digest: string | undefined,
): Promise<Submitted | Problem> {
  try {
    await refuseRegistry(gateway, request);
    return await storeRun(gateway, {
      watched: false,
      id,
      tenant,
      request,
      ...(digest !== undefined && { idempotency: { digest, field: `run:${index}` } }),
    });
  } catch (error) {
    if (error instanceof Problem) return error;
    if (isStoreError(error)) return storeProblem(error);
    throw error;
  }
}

async function present(
  gateway: BatchParts,
  tenant: string,
  submitted: Submitted,
): Promise<Run | ProblemBody> {
  if (submitted.outcome === 'created')
    return withMadeSecret(presentRun(submitted.record, nothing), submitted);
  // An earlier request with the same key made the run, and was lost before it could answer.
  try {
    return await loadRun(gateway, tenant, submitted.id);
  } catch (error) {
    if (error instanceof Problem) return error.toBody();
    throw error;
  }
}
