import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../../../infra/parts/redis.ts';
import type { ApiKey } from '../../../shared/contracts/key.ts';
import { type Proxied, startProxied } from '../../gateway/proxy/support.ts';
import { actAsWorker } from '../../gateway/worker.ts';

export type Made = ApiKey & { key: string };

/**
 * Two gateways of one Runlet, in this process, each with connections of its own. Redis is theirs alone: a test closes all that listen
 * there, which would take other tests' with them.
 */
export async function startTwoGateways() {
  const folder = mkdtempSync(join(tmpdir(), 'runlet-keys-'));
  const redis = await startRedis({
    folder: join(folder, 'redis'),
    logFile: join(folder, 'redis.log'),
    say: () => {},
  });
  const prefix = `hk${randomBytes(6).toString('hex')}`;
  const one = await startProxied({ RUNLET_REDIS_PREFIX: prefix }, redis.url);
  const two = await startProxied({ RUNLET_REDIS_PREFIX: prefix }, redis.url);

  return {
    one,
    two,
    async make(more: object = {}): Promise<Made> {
      const response = await one.call('POST', '/v1/keys', { name: 'test', role: 'admin', ...more });
      if (response.status !== 201) throw new Error(await response.text());
      return (await response.json()) as Made;
    },
    /** A run that a worker has begun. */
    async startRun(more: object = {}) {
      const response = await one.call('POST', '/v1/runs', { image: 'hello-world', ...more });
      const run = (await response.json()) as { id: string };
      const worker = actAsWorker(one);
      return { run, worker, holder: await worker.start(run.id) };
    },
    revoke: (id: string): Promise<Response> => one.call('DELETE', `/v1/keys/${id}`),
    /** Nobody is to deliver what those who watched were to be told. */
    unwatch: () => one.redis.del(one.keys.listeners('default')),
    async stop(): Promise<void> {
      await two.gateway.keyring.stop();
      const closed = new Promise<void>((resolve) => two.server.close(() => resolve()));
      two.server.closeAllConnections();
      await closed;
      await two.abandon();
      await one.stop();
      await redis.child.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

export const ask = (
  on: Pick<Proxied, 'url'>,
  key: string,
  path: string,
  init: RequestInit = {},
): Promise<Response> =>
  fetch(`${on.url}${path}`, {
    ...init,
    headers: { ...bearer(key), 'content-type': 'application/json', ...init.headers },
  });

/** How a stream ended. */
export const readToEnd = (stream: Response): Promise<'whole' | 'broken off'> =>
  stream.text().then(
    () => 'whole',
    () => 'broken off',
  );

/** How long something took, in ms. */
export async function timed<T>(act: Promise<T>): Promise<{ ms: number; value: T }> {
  const began = performance.now();
  const value = await act;
  return { ms: performance.now() - began, value };
}
