import { randomBytes } from 'node:crypto';
import { newId } from '../../../shared/ids.ts';
import { startGateway, until } from '../../gateway/support.ts';
import { actAsWorker } from '../../gateway/worker.ts';

export type PistonGateway = Awaited<ReturnType<typeof startPiston>>;

/** A gateway, its Piston address with a key inside, and who plays the worker. */
export async function startPiston(environment: Record<string, string> = {}) {
  const on = await startGateway(environment);
  const apiKey = `rlk_${randomBytes(12).toString('hex')}`;
  const tenant = `t${randomBytes(4).toString('hex')}`;
  await on.gateway.apiKeys.put(apiKey, { keyId: newId('key'), tenant, role: 'user' });
  const base = `/k/${apiKey}/piston/api/v2`;
  const post = (path: string, body: unknown, init: RequestInit = {}) =>
    fetch(`${on.url}${base}${path}`, { method: 'POST', body: JSON.stringify(body), ...init });

  return {
    ...on,
    worker: actAsWorker(on),
    base: `${on.url}${base}`,
    post,
    /** The id of the one open run of the tenant, once it is stored. */
    stored: () =>
      until(async () => (await on.redis.zrange(on.keys.tenantOpen(tenant), 0, '-1'))[0] ?? undefined),
    request: async (id: string) => (await on.gateway.runs.readWhole(id))?.request,
  };
}

export const python = (content: string, more: Record<string, unknown> = {}) => ({
  language: 'python',
  version: '*',
  files: [{ content }],
  ...more,
});
