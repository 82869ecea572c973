import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { type ExecRequest, execRequestSchema } from '../../../shared/contracts/service.ts';
import { newId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import { isTerminal } from '../../../shared/run-states.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { json } from '../http/answers.ts';
import { type App, mount, validate } from '../http/mount.ts';
import { preferredWait } from '../http/prefer.ts';
import { endedRun } from '../runs/load.ts';
import { storeRun } from '../runs/submit.ts';
import { watchRun } from '../runs/watch.ts';
import { hasSettled, waitForService, wish } from './actions.ts';
import * as documents from './documents.ts';
import { ownService } from './load.ts';

/** An exec wakes an idle service, and waits so long for it. */
const wakeMs = 60_000;

export function mountExec(app: App, gateway: Gateway): void {
  const schema = execRequestSchema(gateway.policy);
  mount(
    app,
    { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES },
    { method: 'post', path: '/v1/services/{id}/exec', body: schema, document: documents.execDocument },
    async (c, { body }) => {
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
        // What the fields say to one another is a run's matter: stdin that is no base64, too much of it.
        const request = validate(runRequestSchema(gateway.policy), asRun(record, body));
        const stored = await storeRun(gateway, {
          id,
          tenant,
          request,
          service: record.head.id,
          watched: watch !== undefined,
        });
        await gateway.workers.send(record.worker ?? '', { kind: 'exec', run: id, service: record.head.id });
        const end = await watch?.ended(waitSeconds * 1000, [c.req.raw.signal, gateway.hurry.signal]);
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
}

/** The service once it is ready; woken if it is idle. */
async function ready(gateway: Gateway, record: ServiceRecord, gone: AbortSignal): Promise<ServiceRecord> {
  await wish(gateway, record, 'wake');
  const now =
    record.status === 'ready'
      ? record
      : await waitForService(gateway, record.head.id, hasSettled, wakeMs, gone);
  if (now?.status === 'ready' && now.worker !== null) return now;
  throw new Problem(
    'conflict',
    `The service is ${now?.status ?? 'removed'}: a program can run in it only while it is ready.`,
  );
}

/** What does not say otherwise is as in a run; its limits of memory and processes are the service's own. */
function asRun({ head }: ServiceRecord, exec: ExecRequest) {
  return {
    ...exec,
    image: head.request.image,
    entrypoint: [],
    workdir: exec.workdir ?? head.request.workdir,
  };
}
