import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject } from 'vitest';
import { createApp } from '../../services/gateway/app.ts';
import { gatewayEnvironment } from '../../services/gateway/environment.ts';
import { createGateway, type Gateway } from '../../services/gateway/gateway.ts';
import { createRunQueue } from '../../services/gateway/run-queue.ts';
import { createHttpServer } from '../../services/gateway/server/server.ts';
import type { StoredKey } from '../../services/gateway/stores/api-keys.ts';
import { scoped } from '../../shared/blobs/blob-store.ts';
import { folderBlobStore } from '../../shared/blobs/folder.ts';
import type { ProblemBody } from '../../shared/contracts/problem.ts';
import type { Run } from '../../shared/contracts/run.ts';
import { isId, newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { closeRedis, connectRedis, type RedisConnection, waitForRedis } from '../../shared/redis.ts';
import { policyOf } from '../../shared/run-policy.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { createWakeups } from '../../shared/wakeups.ts';

export type TestGateway = Awaited<ReturnType<typeof startGateway>>;

export type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Response>;

/** A gateway on real sockets and a real Redis, in this process, under a prefix of its own. */
export async function startGateway(
  environment: Record<string, string> = {},
  redisUrl = inject('lab').redisUrl,
) {
  const prefix = environment.RUNLET_REDIS_PREFIX ?? `gw${randomBytes(6).toString('hex')}`;
  const env = gatewayEnvironment.parse({
    RUNLET_REDIS_URL: redisUrl,
    RUNLET_REDIS_PREFIX: prefix,
    RUNLET_SECRET_KEY: '0123456789abcdef0123456789abcdef',
    RUNLET_LOG_LEVEL: process.env.GATEWAY_TEST_LOG ?? 'silent',
    ...environment,
  });
  const log = createLog('gateway', env.RUNLET_LOG_LEVEL);
  const keys = keysFor(prefix);
  const redis = connectRedis(env.RUNLET_REDIS_URL, 'request', log);
  const subscriber = connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
  await waitForRedis(redis, redisUrl, 10_000);
  const queue = createRunQueue(redis, keys, log);
  await queue.open();
  const blobFolder = mkdtempSync(join(tmpdir(), 'runlet-blobs-'));
  const gateway = createGateway({
    env,
    policy: policyOf(env, env.RUNLET_MAX_PAYLOAD_BYTES),
    log,
    keys,
    redis,
    sealer: sealerFor(env.RUNLET_SECRET_KEY),
    wakeups: createWakeups(subscriber),
    queue,
    blobs: scoped(folderBlobStore(blobFolder), prefix),
    instance: prefix,
  });
  await gateway.room.look();
  const server = createHttpServer(createApp(gateway));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Upgraded ones too, which the server itself forgets.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  /** A caller with a key of its own. */
  async function caller(tenant = 'default', role: StoredKey['role'] = 'admin'): Promise<Call> {
    const apiKey = `rlk_${randomBytes(12).toString('hex')}`;
    await gateway.apiKeys.put(apiKey, { keyId: newId('key'), tenant, role });
    return (method, path, body, headers = {}) =>
      fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
  }

  return {
    url,
    gateway,
    keys,
    redis,
    server,
    sockets,
    caller,
    call: await caller(),
    async stop() {
      await closeServer(server);
      await gateway.keyring.stop();
      await removeAll(gateway, redis);
      rmSync(blobFolder, { recursive: true, force: true });
      await queue.close();
      await Promise.all([redis, subscriber].map(closeRedis));
    },
    /** Without touching Redis, for when it is gone. */
    async abandon() {
      await closeServer(server);
      rmSync(blobFolder, { recursive: true, force: true });
      redis.disconnect();
      subscriber.disconnect();
    },
  };
}

function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  return closed;
}

/** What may stay when every run is forgotten: one of each, or with a time to live. */
const lasting =
  /:(api-keys|stats|janitor|workers|tenant:[^:]+:registries|bull:runs:(meta|events|id|pc|marker))$/;

/** Ends and forgets every run by our own means; whatever they leave behind fails the test. */
async function removeAll(gateway: Gateway, redis: RedisConnection): Promise<void> {
  const { keys, runs, queue } = gateway;
  await removeWebhooks(gateway, redis);
  for (const id of await redis.zrange(keys.open, 0, '-1')) {
    const record = await runs.read(id);
    if (record !== undefined) await runs.endUnheld(record, 'cancelled', {});
    await queue.remove(id);
  }
  for (const id of await redis.zrange(keys.finished, 0, '-1')) {
    const record = await runs.read(id);
    if (record !== undefined) await runs.forget(id, record.head.tenant);
  }
  // Jobs are the workers' to take, and there is none here.
  for (const id of await redis.zrange(`${keys.bull}:runs:prioritized`, 0, '-1')) await queue.remove(id);
  const left = await redis.keys(`${keys.base}*`);
  const leaked: string[] = [];
  for (const key of left) {
    if (!lasting.test(key) && (await redis.pttl(key)) <= 0) leaked.push(key);
  }
  expect(leaked).toEqual([]);
  expect(Number((await redis.hget(keys.stats, 'retainedBytes')) ?? 0)).toBe(0);
  if (left.length > 0) await redis.del(...left);
  expect(await redis.keys(`${keys.base}*`)).toEqual([]);
}

/** Endpoints, and deliveries as a notifier would end them. */
async function removeWebhooks(
  { keys, webhooks, deliveries }: Gateway,
  redis: RedisConnection,
): Promise<void> {
  for (const key of await redis.keys(`${keys.webhook('')}*`)) {
    const id = key.slice(keys.webhook('').length);
    const webhook = isId('whk', id) ? await webhooks.find(id) : undefined;
    if (webhook !== undefined) await webhooks.remove(webhook);
  }
  const attempt = {
    at: new Date().toISOString(),
    durationMs: 0,
    statusCode: null,
    error: null,
    response: null,
  };
  for (const id of await redis.zrange(keys.pendingDeliveries, 0, '-1')) {
    const delivery = await deliveries.read(id);
    if (delivery !== undefined) await deliveries.settle(delivery, { outcome: 'failed', attempt });
  }
  for (const id of await redis.zrange(keys.endedDeliveries, 0, '-1')) await deliveries.drop(id);
}

export async function runOf(response: Response, status: number): Promise<Run> {
  const text = await response.text();
  expect(response.status, text).toBe(status);
  return JSON.parse(text) as Run;
}

/** The problem of an answer, with what every problem has checked. */
export async function problemOf(response: Response, status: number, code: string): Promise<ProblemBody> {
  const text = await response.text();
  expect(response.status, text).toBe(status);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  const problem = JSON.parse(text) as ProblemBody;
  expect(problem).toMatchObject({ status, code });
  expect(problem.type.endsWith(`/${code}`)).toBe(true);
  expect(problem.detail.length).toBeGreaterThan(10);
  return problem;
}

export const pathsOf = (problem: ProblemBody) => (problem.errors ?? []).map(({ path }) => path);

export async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await sleep(20);
  }
}
