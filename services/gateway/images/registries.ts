import { z } from 'zod';
import { parseImageReference } from '../../../shared/images.ts';
import { badField, Problem } from '../../../shared/problems.ts';
import { registryCredentials } from '../../../shared/stores/registries.ts';
import type { Gateway } from '../gateway.ts';
import { noContent, ok } from '../http/answers.ts';
import { bearer, empty, idParam, jsonResponse, page, problems } from '../http/describe.ts';
import { type App, mount } from '../http/mount.ts';
import { pageQuery, paginate } from '../http/query.ts';
import { type RefuseRegistryParts, refuseHost } from '../refuse-registry.ts';

export type RegistryParts = Pick<Gateway, 'env' | 'registries'> & RefuseRegistryParts;

const tags = ['Images'];
const security = bearer;
const params = idParam(
  'host',
  'The registry’s host, with its port where it has one.',
  'registry.example.com:5000',
);

const registryLogin = z
  .object({
    host: z.string(),
    username: z.string().nullable().meta({
      description: '`null`: they cannot be opened, for RUNLET_SECRET_KEY was changed since. Put them again.',
    }),
    updatedAt: z
      .string()
      .nullable()
      .meta({ description: 'When they were put; `null` for those of an earlier release.' }),
  })
  .meta({ id: 'Registry' });

export function mountRegistries(app: App, gateway: RegistryParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };

  mount(
    app,
    options,
    {
      method: 'get',
      path: '/v1/registries',
      admin: true,
      query: pageQuery,
      document: {
        tags,
        security,
        operationId: 'listRegistries',
        summary: 'List the registries whose credentials are kept',
        description: 'Of each its host, the user and since when; never a password. Admin only.',
        responses: {
          200: jsonResponse('One page.', page(registryLogin, 'RegistryPage')),
          ...problems(400, 403),
        },
      },
    },
    async (c, { query }) =>
      ok(paginate(await gateway.registries.list(c.var.identity.tenant), ({ host }) => host, query)),
  );

  mount(
    app,
    options,
    {
      method: 'put',
      path: '/v1/registries/{host}',
      admin: true,
      body: registryCredentials,
      document: {
        tags,
        security,
        operationId: 'putRegistry',
        summary: 'Keep credentials of a registry',
        description:
          'Sealed at rest and write-only: no answer shows them. Used when images of this host are pulled, by whoever runs them. A host that images are not fetched from (RUNLET_REGISTRY_ALLOW) is refused. Admin only.',
        params,
        example: { username: 'ci', password: 'correct horse battery staple' },
        responses: { 204: empty('Kept.'), ...problems(400, 403, 413, 415, 429) },
      },
    },
    async (c, { body }) => {
      const host = hostOf(c.req.param('host'));
      await refuseHost(gateway, host);
      const kept = await gateway.registries.put(c.var.identity.tenant, host, body);
      if (!kept)
        throw new Problem('quota_exceeded', 'A tenant may keep 100 registries: delete one that is not used.');
      return noContent();
    },
  );

  mount(
    app,
    options,
    {
      method: 'delete',
      path: '/v1/registries/{host}',
      admin: true,
      document: {
        tags,
        security,
        operationId: 'deleteRegistry',
        summary: 'Forget credentials of a registry',
        description: 'Admin only.',
        params,
        responses: { 204: empty('Forgotten.'), ...problems(400, 403, 404) },
      },
    },
    async (c) => {
      const host = hostOf(c.req.param('host'));
      if (!(await gateway.registries.remove(c.var.identity.tenant, host)))
        throw new Problem('not_found', `No credentials are kept for ${host}.`);
      return noContent();
    },
  );
}

/** The host as references name it, so that a pull finds what was put (`index.docker.io` is `docker.io`). */
function hostOf(text: string | undefined): string {
  const host = text ?? '';
  const named = host.includes('/') ? undefined : parseImageReference(`${host}/x/y`);
  // A first part without a dot, a colon or "localhost" is no host but a piece of a repository's name.
  if (named === undefined || named.repository !== 'x/y' || host.length > 255)
    throw badField('host', 'must be a registry’s host as in image names, like registry.example.com:5000');
  return named.registry;
}
