import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { noContent, ok } from '../http/answers.ts';
import { eventPosition } from '../http/event-position.ts';
import { type App, mount } from '../http/mount.ts';
import { type OnceParts, once, onceKey } from '../http/once.ts';
import { preferredWait } from '../http/prefer.ts';
import { asksForEvents, sseHeaders } from '../http/sse.ts';
import { type RefuseRegistryParts, refuseRegistry } from '../refuse-registry.ts';
import { type ArtifactParts, mountArtifacts } from './artifacts.ts';
import { type AttachRouteParts, mountAttach } from './attach-route.ts';
import { type BatchParts, batchBody, batchDocumentBody, createBatch } from './batch.ts';
import { type CancelParts, cancelRun } from './cancel.ts';
import { type CreateParts, createRun } from './create.ts';
import * as documents from './documents.ts';
import { type EventStreamParts, hasSeenAll, runEventStream } from './event-stream.ts';
import { type ForgetBlobsParts, forgetBlobs } from './forget-blobs.ts';
import { type ListParts, listQuery, listRuns } from './list.ts';
import { type LoadParts, loadRun, noSuchRun, ownRecord } from './load.ts';
import { outputQuery } from './output-query.ts';
import { runRequestDocument } from './request-document.ts';
import { awaitEnd } from './watch.ts';

export type RunParts = Pick<Gateway, 'env' | 'policy' | 'runs'> &
  OnceParts &
  RefuseRegistryParts &
  ArtifactParts &
  AttachRouteParts &
  BatchParts &
  CancelParts &
  CreateParts &
  EventStreamParts &
  ForgetBlobsParts &
  ListParts &
  LoadParts;

export function mountRuns(app: App, gateway: RunParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };
  const schema = runRequestSchema(gateway.policy);
  const documented = runRequestDocument(gateway.policy);

  mount(
    app,
    options,
    {
      method: 'post',
      path: '/v1/runs',
      body: schema,
      query: outputQuery,
      document: { ...documents.createDocument, body: documented },
    },
    async (c, { body, query, text }) => {
      const asEvents = asksForEvents(c);
      if (asEvents && body.webhook !== undefined && body.webhook.secret === undefined)
        throw badField(
          'webhook.secret',
          'must be given where the answer is a stream of events: one that is made is shown in an answer of JSON only',
        );
      const preferred = preferredWait(c.req.header('prefer'));
      const waitSeconds = asEvents ? 0 : preferred;
      const waitMs = waitSeconds * 1000;
      const { tenant } = c.var.identity;
      const gone = c.req.raw.signal;
      await refuseRegistry(gateway, body);
      const answer = await once(
        gateway,
        onceKey(c, '/v1/runs', text),
        (digest) => createRun(gateway, { tenant, request: body, waitMs, gone, shown: query }, digest),
        async (location) => JSON.stringify(await loadRun(gateway, tenant, idIn(location), query)),
      );
      return asEvents ? eventsOf(gateway, tenant, answer) : applied(answer, waitSeconds);
    },
  );

  mount(
    app,
    options,
    {
      method: 'post',
      path: '/v1/runs/batch',
      body: batchBody,
      checkedByHandler: 'runs',
      document: { ...documents.batchDocument, body: batchDocumentBody(documented) },
    },
    async (c, { body, text }) => {
      const waitSeconds = preferredWait(c.req.header('prefer'));
      const { tenant } = c.var.identity;
      const { signal } = c.req.raw;
      const batch = { tenant, schema, items: body.runs, waitMs: waitSeconds * 1000, gone: signal };
      const answer = await once(
        gateway,
        onceKey(c, '/v1/runs/batch', text),
        (digest) => createBatch(gateway, batch, digest),
        async (_, digest) => (await createBatch(gateway, { ...batch, waitMs: 0 }, digest)).body,
      );
      return applied(answer, waitSeconds);
    },
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/runs', query: listQuery, document: documents.listDocument },
    async (c, { query }) => ok(await listRuns(gateway, c.var.identity.tenant, query)),
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/runs/{id}', query: outputQuery, document: documents.readDocument },
    async (c, { query }) => {
      const waitSeconds = preferredWait(c.req.header('prefer'));
      const { tenant } = c.var.identity;
      const id = c.req.param('id') ?? '';
      if (waitSeconds > 0) await awaitEnd(gateway, tenant, id, waitSeconds * 1000, c.req.raw.signal);
      return applied(ok(await loadRun(gateway, tenant, id, query)), waitSeconds);
    },
  );

  mount(
    app,
    options,
    { method: 'delete', path: '/v1/runs/{id}', document: documents.deleteDocument },
    async (c) => {
      const { head } = await ownRecord(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      const outcome = await gateway.runs.forget(head.id, head.tenant);
      if (outcome === 'gone') throw noSuchRun(head.id);
      if (outcome === 'active')
        throw new Problem('conflict', 'The run has not ended: cancel it first, or wait for its end.');
      await forgetBlobs(gateway, head);
      return noContent();
    },
  );

  mount(
    app,
    options,
    { method: 'post', path: '/v1/runs/{id}/cancel', document: documents.cancelDocument },
    async (c) => {
      const run = await cancelRun(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      return c.json(run, 202);
    },
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/runs/{id}/events', document: documents.eventsDocument },
    async (c) => {
      const position = eventPosition(c.req.header('last-event-id'));
      const { head } = await ownRecord(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      if (await hasSeenAll(gateway, head.id, position)) return noContent();
      return new Response(runEventStream(gateway, head.id, position), { headers: sseHeaders });
    },
  );

  mountArtifacts(app, gateway);
  mountAttach(app, gateway);
}

const idIn = (location: string | null | undefined) => location?.split('/').at(-1) ?? '';

/** The events of the run that was created, instead of the run: one round trip less for who follows it. */
async function eventsOf(gateway: RunParts, tenant: string, created: Response): Promise<Response> {
  const id = idIn(created.headers.get('location'));
  // An earlier request created it: it may have been forgotten since.
  if (created.headers.has('idempotent-replayed')) await ownRecord(gateway, tenant, id);
  const headers = new Headers(created.headers);
  headers.delete('content-length');
  for (const [name, value] of Object.entries(sseHeaders)) headers.set(name, value);
  return new Response(runEventStream(gateway, id, '0'), { headers });
}

/** RFC 7240 §3 */
function applied(answer: Response, waitSeconds: number): Response {
  if (waitSeconds > 0) answer.headers.set('preference-applied', `wait=${waitSeconds}`);
  return answer;
}
