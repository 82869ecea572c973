import { z } from 'zod';
import { payloadOf } from '../../../shared/contracts/run-rules.ts';
import { serviceRequestSchema } from '../../../shared/contracts/service.ts';
import { isId, newId } from '../../../shared/ids.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import { presentService, serviceUrl } from '../../../shared/stores/service-present.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import type { Gateway } from '../gateway.ts';
import { json, noContent, ok } from '../http/answers.ts';
import type { GatewayContext } from '../http/context.ts';
import { type App, mount } from '../http/mount.ts';
import { type OnceParts, once, onceKey } from '../http/once.ts';
import { preferredWait } from '../http/prefer.ts';
import { decodeCursor, encodeCursor, pageQuery } from '../http/query.ts';
import { type RefuseRegistryParts, refuseRegistry } from '../refuse-registry.ts';
import { withWebhookSecret } from '../webhook-secret.ts';
import { type ActionParts, hasSettled, setWanted, waitForService } from './actions.ts';
import * as documents from './documents.ts';
import { type ExecParts, mountExec } from './exec.ts';
import { type FileParts, mountFiles } from './files.ts';
import { freeName } from './free-name.ts';
import { ownService, readAll, type ServiceLoadParts } from './load.ts';
import { type LogParts, mountLogs } from './logs.ts';
import { type PlaceParts, placeService } from './place.ts';
import { signedUrl } from './signed-link.ts';
import { signService } from './signed-url.ts';
import { removeVolumes, type VolumeParts } from './volumes.ts';

export type ServiceParts = Pick<Gateway, 'env' | 'policy' | 'room' | 'services' | 'servicePulls'> &
  OnceParts &
  RefuseRegistryParts &
  ActionParts &
  ExecParts &
  FileParts &
  ServiceLoadParts &
  LogParts &
  PlaceParts &
  VolumeParts;

/** How long a request waits for a removal, which gives the program ten seconds to end. */
const removalMs = 30_000;

const deleteQuery = z.strictObject({
  volumes: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether its named volumes go too (those that no other service uses).' }),
});

const keepAliveBody = z
  .strictObject({
    forMs: z
      .int()
      .min(0)
      .max(365 * 86_400_000)
      .default(0),
  })
  .meta({ id: 'KeepAlive' });

const urlBody = z
  .strictObject({
    expiresInMs: z
      .int()
      .min(1_000)
      .max(30 * 86_400_000)
      .default(3_600_000),
    path: z
      .string()
      .max(2048)
      .regex(/^\//, 'must begin with "/"')
      // URL parsers drop some of them, which would join the parts around them.
      .regex(/^\P{Cc}*$/u, 'must not contain control characters: percent-encode them')
      .default('/'),
  })
  .meta({ id: 'SignUrl' });

export function mountServices(app: App, gateway: ServiceParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };
  const schema = serviceRequestSchema(gateway.policy);
  const present = async (record: ServiceRecord) => {
    const [whole, pull] = await Promise.all([
      gateway.services.whole(record),
      record.status === 'starting' ? gateway.servicePulls.read(record.head.id) : null,
    ]);
    return presentService(whole, gateway.env, pull);
  };
  const own = (c: GatewayContext) => ownService(gateway, c.var.identity.tenant, c.req.param('id') ?? '');

  /** The service as it is now, or once it has settled if the client waits (`Prefer: wait`). */
  async function answer(c: GatewayContext, id: string, settled: (record: ServiceRecord) => boolean) {
    const seconds = preferredWait(c.req.header('prefer'));
    const record = await waitForService(gateway, id, settled, seconds * 1000, c.req.raw.signal);
    if (record === undefined) throw new Problem('not_found', `The service ${id} was removed meanwhile.`);
    return {
      status: seconds > 0 && settled(record) ? 200 : 202,
      body: JSON.stringify(await present(record)),
      location: `/v1/services/${id}`,
      headers: seconds > 0 ? { 'preference-applied': `wait=${seconds}` } : {},
    };
  }

  mount(
    app,
    options,
    { method: 'post', path: '/v1/services', body: schema, document: documents.createDocument },
    async (c, { body, text }) => {
      const { tenant } = c.var.identity;
      preferredWait(c.req.header('prefer'));
      await refuseRegistry(gateway, body);
      return once(
        gateway,
        onceKey(c, '/v1/services', text),
        async () => {
          const id = newId('svc');
          const name = body.name ?? (await freeName(gateway, tenant, body.image, id));
          const head = { id, tenant, name, createdAt: new Date().toISOString() };
          const { request, madeSecret } = withWebhookSecret(body);
          await gateway.room.take(
            payloadOf({ files: request.files, inputs: [], stdinEncoding: 'utf8' }).fileBytes,
          );
          const record = await gateway.services.create(head, request, {
            maxServices: gateway.env.RUNLET_TENANT_MAX_SERVICES,
            tenantBytes: gateway.room.tenantBytes(),
            systemBytes: gateway.room.systemBytes(),
          });
          await placeService(gateway, record);
          const given = await answer(c, id, hasSettled);
          if (madeSecret === undefined) return given;
          const shown = JSON.parse(given.body) as { request: { webhook: object } };
          shown.request.webhook = { ...shown.request.webhook, secret: madeSecret };
          return { ...given, body: JSON.stringify(shown), holdsSecret: true };
        },
        async (location) =>
          JSON.stringify(await present(await ownService(gateway, tenant, location?.split('/').at(-1) ?? ''))),
      );
    },
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/services', query: pageQuery, document: documents.listDocument },
    async (c, { query }) => {
      const before = decodeCursor(query.cursor);
      if (before !== undefined && !isId('svc', before))
        throw badField('cursor', 'is not a cursor of this list');
      const ids = await gateway.services.ids(c.var.identity.tenant, before, query.limit + 1);
      const page = ids.slice(0, query.limit);
      return ok({
        data: await Promise.all((await readAll(gateway, page)).map(present)),
        nextCursor: ids.length > query.limit ? encodeCursor(page.at(-1) as string) : null,
      });
    },
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/services/{id}', document: documents.readDocument },
    async (c) => ok(await present(await own(c))),
  );

  mount(
    app,
    options,
    { method: 'delete', path: '/v1/services/{id}', query: deleteQuery, document: documents.deleteDocument },
    async (c, { query }) => {
      const record = await own(c);
      await setWanted(gateway, record, 'removed');
      const left = await waitForService(gateway, record.head.id, () => false, removalMs, c.req.raw.signal);
      if (left !== undefined) return c.json(await present(left), 202);
      if (query.volumes === 'true')
        await removeVolumes(gateway, record.head.tenant, record.head.request.volumes);
      return noContent();
    },
  );

  for (const [action, what, settled, document] of [
    ['start', 'running', hasSettled, documents.startDocument],
    [
      'stop',
      'stopped',
      ({ status }: ServiceRecord) => status === 'stopped' || status === 'failed',
      documents.stopDocument,
    ],
    ['restart', 'restart', hasSettled, documents.restartDocument],
  ] as const)
    mount(app, options, { method: 'post', path: `/v1/services/{id}/${action}`, document }, async (c) => {
      const { head } = await own(c);
      await setWanted(gateway, await own(c), what);
      const { status, body, location, headers } = await answer(c, head.id, settled);
      return json(status, body, { location, ...headers });
    });

  mount(
    app,
    options,
    {
      method: 'post',
      path: '/v1/services/{id}/keepalive',
      body: keepAliveBody,
      document: documents.keepAliveDocument,
    },
    async (c, { body }) => {
      const record = await own(c);
      await setWanted(gateway, record, 'used', Date.now() + body.forMs);
      return ok(await present(await own(c)));
    },
  );

  mount(
    app,
    options,
    { method: 'post', path: '/v1/services/{id}/url', body: urlBody, document: documents.urlDocument },
    async (c, { body }) => {
      const { head } = await own(c);
      if (head.request.port === undefined)
        throw new Problem('conflict', 'The service has no `port` to call: create it with one.');
      const expiresAt = Date.now() + body.expiresInMs;
      const token = signService(gateway.env.RUNLET_SECRET_KEY, head.id, expiresAt, c.var.identity.keyId);
      const url = signedUrl(serviceUrl(head, gateway.env), body.path, token);
      return json(201, JSON.stringify({ url, expiresAt: new Date(expiresAt).toISOString() }));
    },
  );

  mountExec(app, gateway);
  mountLogs(app, gateway);
  mountFiles(app, gateway);
}
