import type { Run } from '../../../shared/contracts/run.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { maskRequest } from '../../../shared/contracts/run-request.ts';
import { payloadOf } from '../../../shared/contracts/run-rules.ts';
import { outlineOf } from '../../../shared/run-plan.ts';
import { headOf } from '../../../shared/stores/run-parts.ts';
import { emptyState, type RunRecord } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';
import { withWebhookSecret } from '../webhook-secret.ts';

export type SubmitParts = Pick<Gateway, 'endings' | 'env' | 'log' | 'queue' | 'room' | 'runs'>;

export type NewRun = {
  id: string;
  tenant: string;
  request: RunRequest;
  /** The service that it runs in. */
  service?: string;
  /** Where the id of the run is noted under its Idempotency-Key. */
  idempotency?: { digest: string; field: string };
  /** Somebody waits for its end (watch.ts). */
  watched: boolean;
};

export type Submitted = {
  id: string;
  outcome: 'created' | 'exists';
  record: RunRecord;
  /** The secret that was made for the run's webhook, because it named none: shown to its owner once. */
  madeSecret?: string;
};

/**
 * Stores a run. Once this is done it is durable. If a worker can take it at once, its job is stored in the same step; the job of a run that
 * is to wait follows (`enqueue`).
 */
export async function storeRun(gateway: SubmitParts, run: NewRun): Promise<Submitted> {
  await takeRoom(gateway, run);
  const { request, madeSecret } = withWebhookSecret(run.request);
  const now = Date.now();
  const head = {
    id: run.id,
    tenant: run.tenant,
    createdAt: new Date(now).toISOString(),
    dueAt: now + request.delayMs,
    ...(run.service !== undefined && { service: run.service }),
  };
  const record: RunRecord = {
    head: headOf(head, request),
    request: maskRequest(request),
    status: 'queued',
    attempt: 0,
    worker: null,
    state: emptyState,
    cancelRequested: false,
  };
  const { outcome, id } = await gateway.runs.create(
    head,
    request,
    {
      maxTenantRuns: gateway.env.RUNLET_TENANT_MAX_RUNS,
      maxRuns: gateway.env.RUNLET_MAX_OPEN_RUNS,
      maxDeliveries: gateway.env.RUNLET_TENANT_MAX_DELIVERIES,
      tenantBytes: gateway.room.tenantBytes(),
      systemBytes: gateway.room.systemBytes(),
    },
    {
      ...(run.idempotency && { idempotency: run.idempotency }),
      ...(run.watched && { ends: gateway.endings.channel }),
      // A run inside of a service has no job: its worker is told.
      ...(run.service === undefined &&
        request.delayMs === 0 && { job: { id: run.id, outline: outlineOf(record.head) } }),
    },
  );
  const made = madeSecret !== undefined && outcome === 'created' && { madeSecret };
  return { id, outcome, record, ...made };
}

/** Stores a run, with its job. */
export async function submitRun(gateway: SubmitParts, run: NewRun): Promise<Submitted> {
  const stored = await storeRun(gateway, run);
  await enqueue(gateway, [stored]);
  return stored;
}

/** Throws a Problem `overloaded` where Redis has no room for it. */
function takeRoom(gateway: SubmitParts, { request }: NewRun): Promise<void> {
  const { fileBytes, stdinBytes } = payloadOf(request);
  return gateway.room.take(fileBytes + stdinBytes);
}

/** The run with the secret that was made for its webhook: in the answer that creates it, and in no other. */
export function withMadeSecret(run: Run, { madeSecret }: Submitted): Run {
  if (madeSecret === undefined) return run;
  const webhook = { ...(run.request.webhook as object), secret: madeSecret };
  return { ...run, request: { ...run.request, webhook } };
}

/**
 * Adds the jobs of stored runs that are to wait; the others have theirs. A failure here is no failure of the request: the runs are stored, and the janitor
 * adds a job where one is missing.
 */
export async function enqueue(gateway: SubmitParts, stored: Submitted[]): Promise<void> {
  const fresh = stored.filter(
    ({ outcome, record }) => outcome === 'created' && record.head.request.delayMs > 0,
  );
  if (fresh.length === 0) return;
  try {
    await gateway.queue.addMany(
      fresh.map(({ record: { head } }) => ({
        id: head.id,
        priority: head.request.priority,
        delayMs: head.request.delayMs,
        outline: outlineOf(head),
      })),
    );
  } catch (error) {
    gateway.log.warn(
      { runs: fresh.map(({ id }) => id), reason: (error as Error).message },
      'jobs could not be added; the janitor will',
    );
  }
}
