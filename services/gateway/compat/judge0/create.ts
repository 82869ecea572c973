import type { Run } from '../../../../shared/contracts/run.ts';
import type { RunRequest } from '../../../../shared/contracts/run-request.ts';
import { newId } from '../../../../shared/ids.ts';
import type { GatewayContext } from '../../http/context.ts';
import type { App } from '../../http/mount.ts';
import { endedRun } from '../../runs/load.ts';
import { submitRun } from '../../runs/submit.ts';
import type { CompatParts } from '../protocol.ts';
import { readBody } from '../read-body.ts';
import { submitAndAwait } from '../run-to-end.ts';
import { Faults } from './faults.ts';
import { NotUtf8 } from './present.ts';
import { formOf, isBase64, present } from './read.ts';
import { requestOf } from './request.ts';
import { Judge0Error, notUtf8, route } from './routes.ts';
import { readSubmission } from './submission.ts';
import { tokenOf } from './token.ts';

/** A run that is not delayed ends by then: it waits, its image is pulled, it is compiled, and run. */
const besideQueueMs = 3_600_000;

/** `POST /submissions`: answers with the token; with `wait=true` with the result, however long it takes. */
export function mountCreate(app: App, gateway: CompatParts): void {
  route(app, 'post', '/submissions', async (c) => {
    const form = formOf(c);
    const request = requestIn(gateway, await bodyOf(gateway, c), isBase64(c));
    if (request instanceof Faults) throw new Judge0Error(422, request.byField);
    const { tenant } = c.var.identity;
    if (c.req.query('wait') !== 'true')
      return c.json({ token: tokenOf(await submit(gateway, tenant, request)) }, 201);
    const run = await submitAndWait(gateway, tenant, request, c.req.raw.signal);
    try {
      return c.json(present(run, form), 201);
    } catch (error) {
      if (!(error instanceof NotUtf8)) throw error;
      return c.json({ token: tokenOf(run.id), error: notUtf8('this submission') }, 201);
    }
  });
}

export const bodyOf = (gateway: CompatParts, c: GatewayContext): Promise<unknown> =>
  readBody(c, gateway.env.RUNLET_MAX_BODY_BYTES);

export function requestIn(gateway: CompatParts, value: unknown, base64: boolean): RunRequest | Faults {
  const submission = readSubmission(value, base64, gateway.policy);
  return submission instanceof Faults ? submission : requestOf(submission, gateway.policy);
}

/** The id of the run. */
export async function submit(gateway: CompatParts, tenant: string, request: RunRequest): Promise<string> {
  const stored = await submitRun(gateway, { id: newId('run'), tenant, request, watched: false });
  return stored.id;
}

/** A client that goes away does not end its submission: Judge0 goes on as well. */
async function submitAndWait(
  gateway: CompatParts,
  tenant: string,
  request: RunRequest,
  gone: AbortSignal,
): Promise<Run> {
  const mostMs = gateway.env.RUNLET_QUEUE_EXPIRY_MS + besideQueueMs;
  const { record, end } = await submitAndAwait(gateway, tenant, request, mostMs, gone);
  return endedRun(gateway, record, end);
}
