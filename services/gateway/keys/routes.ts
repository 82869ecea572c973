import { type NewKey, newKey } from '../../../shared/contracts/key.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Gateway } from '../gateway.ts';
import { noContent, ok } from '../http/answers.ts';
import type { GatewayContext } from '../http/context.ts';
import { type App, mount } from '../http/mount.ts';
import { type Answer, type OnceParts, once, onceKey } from '../http/once.ts';
import { pageQuery, paginate } from '../http/query.ts';
import { newApiKey } from '../keyring/new-api-key.ts';
import * as documents from './documents.ts';

export type KeyParts = Pick<Gateway, 'apiKeys' | 'env' | 'keyring' | 'log'> & OnceParts;

export function mountKeys(app: App, gateway: KeyParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };

  mount(
    app,
    options,
    { method: 'post', path: '/v1/keys', admin: true, body: newKey, document: documents.createDocument },
    async (c, { body, text }) => {
      const { tenant } = c.var.identity;
      return once(
        gateway,
        onceKey(c, '/v1/keys', text),
        () => createKey(gateway, c, body),
        async (location) => JSON.stringify(await ownKey(gateway, tenant, location?.split('/').at(-1) ?? '')),
      );
    },
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/keys', admin: true, query: pageQuery, document: documents.listDocument },
    async (c, { query }) =>
      ok(paginate(await gateway.apiKeys.all(c.var.identity.tenant), ({ id }) => id, query)),
  );

  mount(
    app,
    options,
    { method: 'delete', path: '/v1/keys/{id}', admin: true, document: documents.deleteDocument },
    async (c) => {
      const { tenant, keyId } = c.var.identity;
      const id = c.req.param('id') ?? '';
      // The request revokes its own key, and must get its answer.
      if (id === keyId) c.var.outliveKey();
      if (!(await gateway.keyring.revoke(tenant, id))) throw noSuchKey(id);
      audit(gateway, c, 'API key taken back', id);
      return noContent();
    },
  );
}

async function createKey(gateway: KeyParts, c: GatewayContext, wanted: NewKey): Promise<Answer> {
  const key = newApiKey();
  const made = await gateway.apiKeys.create(c.var.identity.tenant, wanted, key);
  audit(gateway, c, 'API key made', made.id, { role: made.role, expiresAt: made.expiresAt });
  return {
    status: 201,
    body: JSON.stringify({ ...made, key }),
    location: `/v1/keys/${made.id}`,
    holdsSecret: true,
  };
}

/** Logs who did what to which key; never the key itself, nor its name. */
function audit(gateway: KeyParts, c: GatewayContext, what: string, id: string, more: object = {}): void {
  const { tenant, keyId } = c.var.identity;
  gateway.log.info({ audit: true, requestId: c.var.requestId, tenant, by: keyId, key: id, ...more }, what);
}

async function ownKey(gateway: KeyParts, tenant: string, id: string) {
  const found = (await gateway.apiKeys.all(tenant)).find((one) => one.id === id);
  if (found === undefined) throw noSuchKey(id);
  return found;
}

const noSuchKey = (id: string) =>
  new Problem('not_found', `There is no API key ${id.slice(0, 64)}: see GET /v1/keys.`);
