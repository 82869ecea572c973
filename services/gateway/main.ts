import type { AddressInfo } from 'node:net';
import { openBlobStore } from '../../shared/blobs/open.ts';
import { takeEnvironment } from '../../shared/config.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { closeRedis, connectRedis, waitForRedis } from '../../shared/redis.ts';
import { policyOf } from '../../shared/run-policy.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { claimInstance } from '../../shared/stores/instance.ts';
import { createWakeups } from '../../shared/wakeups.ts';
import { ensureApiKey } from './api-key.ts';
import { createApp } from './app.ts';
import { gatewayEnvironment } from './environment.ts';
import { createGateway } from './gateway.ts';
import { createJanitor } from './janitor/janitor.ts';
import { createServiceProxy } from './proxy/proxy.ts';
import { createRunQueue } from './run-queue.ts';
import { createHttpServer } from './server/server.ts';
import { stopOnSignal } from './shutdown.ts';

const env = takeEnvironment(gatewayEnvironment);
const log = createLog('gateway', env.RUNLET_LOG_LEVEL);
const keys = keysFor(env.RUNLET_REDIS_PREFIX);

const redis = connectRedis(env.RUNLET_REDIS_URL, 'request', log);
const subscriber = connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
await waitForRedis(redis, env.RUNLET_REDIS_URL, 30_000);
const queue = createRunQueue(redis, keys, log);
await queue.open();

const instance = await claimInstance(redis, keys);
const gateway = createGateway({
  env,
  policy: policyOf(env, env.RUNLET_MAX_PAYLOAD_BYTES),
  log,
  keys,
  redis,
  sealer: sealerFor(env.RUNLET_SECRET_KEY),
  wakeups: createWakeups(subscriber),
  queue,
  blobs: await openBlobStore(env, instance),
  instance,
});
await gateway.room.look();
const proxy = createServiceProxy(gateway);
const server = createHttpServer(createApp(gateway), proxy);

await new Promise<void>((resolve, reject) => {
  server.once('error', reject);
  server.listen(env.RUNLET_PORT, env.RUNLET_HOST, resolve);
});
const { port } = server.address() as AddressInfo;
const address = `http://${env.RUNLET_HOST.includes(':') ? `[${env.RUNLET_HOST}]` : env.RUNLET_HOST}:${port}`;
await ensureApiKey(gateway, address);
const janitor = createJanitor(gateway);
janitor.start();
stopOnSignal({
  gateway,
  server,
  proxy,
  janitor,
  disconnect: () => Promise.all([redis, subscriber].map(closeRedis)),
});
process.stdout.write(`${JSON.stringify({ msg: 'listening', address })}\n`);
