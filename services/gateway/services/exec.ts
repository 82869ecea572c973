import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { type ExecRequest, execRequestSchema, type ServiceExec } from '../../../shared/contracts/service.ts';
import { newId } from '../../../shared/ids.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import { isTerminal } from '../../../shared/run-states.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { json, ok } from '../http/answers.ts';
import { type App, mount, validate } from '../http/mount.ts';
import { preferredWait } from '../http/prefer.ts';
import { endedRun, type LoadParts } from '../runs/load.ts';
import { type SubmitParts, storeRun } from '../runs/submit.ts';
import { type WatchParts, watchRun } from '../runs/watch.ts';
import { askWorker, type WorkerOperationParts } from '../worker-operation.ts';
import { type ActionParts, hasSettled, setWanted, waitForService } from './actions.ts';
import * as documents from './documents.ts';
import { ownService, type ServiceLoadParts } from './load.ts';

export type ExecParts = Pick<Gateway, 'env' | 'stopWaiting' | 'policy' | 'serviceExecs' | 'workers'> &
  LoadParts &
  SubmitParts &
  WatchParts &
  ActionParts &
  ServiceLoadParts &
  WorkerOperationParts;

/** An exec wakes an idle service, and waits so long for it. */
const wakeMs = 60_000;
/** How long the worker may take to look at the programs. */
const lookMs = 10_000;

export function mountExec(app: App, gateway: ExecParts): void {
  const schema = execRequestSchema(gateway.policy);
  mount(
    app,
    { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES },
    { method: 'post', path: '/v1/services/{id}/exec', body: schema, document: documents.execDocument },
    async (c, { body, text }) => {
      if (body.detached && (JSON.parse(text) as { limits?: unknown }).limits !== undefined)
        throw badField('limits', 'must not stand beside detached: it has none of its own');
      const { tenant } = c.var.identity;
      const waitSeconds = preferredWait(c.req.header('prefer'));
      const record = await ready(
        gateway,
        await ownService(gateway, tenant, c.req.param('id') ?? ''),
        c.req.raw.signal,
      );
      const id = newId('run');
      const watch = waitSeconds > 0 ? watchRun(gateway, id) : undefined;
      try {
        // A run's schema also checks the fields together: whether stdin is base64, whether it is too much.
        const request = validate(runRequestSchema(gateway.policy), asRun(record, body));
        const stored = await storeRun(gateway, {
          id,
          tenant,
          request,
          service: record.head.id,
          watched: watch !== undefined,
        });
        await gateway.workers.send(record.worker ?? '', {
          ...{ kind: 'exec', run: id, service: record.head.id },
          ...(body.detached && { detached: true }),
        });
        const end = await watch?.ended(waitSeconds * 1000, [c.req.raw.signal, gateway.stopWaiting.signal]);
        const run = await endedRun(gateway, stored.record, end);
        return json(end !== undefined && isTerminal(run.status) ? 200 : 202, JSON.stringify(run), {
          location: `/v1/runs/${id}`,
          ...(waitSeconds > 0 && { 'preference-applied': `wait=${waitSeconds}` }),
        });
      } finally {
        watch?.stop();
      }
    },
  );

  mount(
    app,
    { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES },
    { method: 'get', path: '/v1/services/{id}/exec', document: documents.listExecDocument },
    async (c) => {
      const record = await ownService(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      return ok({ data: await execsOf(gateway, record), nextCursor: null });
    },
  );
}

/** The programs inside of it: its worker looks which still run. Without its container none does. */
async function execsOf(
  gateway: ExecParts,
  { head: { id }, status, worker }: ServiceRecord,
): Promise<ServiceExec[]> {
  const isUp = status === 'ready' && worker !== null;
  if (isUp)
    await askWorker(
      gateway,
      worker,
      (operation) => ({ kind: 'service-execs', operation, service: id }),
      lookMs,
    );
  return (await gateway.serviceExecs.list(id)).flatMap((one) => {
    if (!isUp && !one.detached) return [];
    const { command, detached, startedAt, pid, exitCode } = one;
    return [
      { id: one.id, command, detached, status: isUp ? one.status : 'exited', exitCode, pid, startedAt },
    ];
  });
}

/** The service once it is ready; woken if it is idle. */
async function ready(gateway: ExecParts, record: ServiceRecord, gone: AbortSignal): Promise<ServiceRecord> {
  await setWanted(gateway, record, 'wake');
  const now =
    record.status === 'ready' && record.wanted === 'running'
      ? record
      : await waitForService(gateway, record.head.id, hasSettled, wakeMs, gone);
  if (now?.status === 'ready' && now.worker !== null) return now;
  throw new Problem(
    'conflict',
    `The service is ${now?.status ?? 'removed'}: a program can run in it only while it is ready.`,
  );
}

/** The request of a run with the same fields. Its limits of memory and processes are the service's own. */
function asRun({ head }: ServiceRecord, { detached: _, ...exec }: ExecRequest) {
  return {
    ...exec,
    image: head.request.image,
    entrypoint: [],
    workdir: exec.workdir ?? head.request.workdir,
  };
}
