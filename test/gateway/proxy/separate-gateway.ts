import type { AddressInfo } from 'node:net';
import { createApp } from '../../../services/gateway/app.ts';
import { gatewayEnvironment } from '../../../services/gateway/environment.ts';
import { createGateway } from '../../../services/gateway/gateway.ts';
import { createServiceProxy } from '../../../services/gateway/proxy/proxy.ts';
import { createRunQueue } from '../../../services/gateway/run-queue.ts';
import { createHttpServer } from '../../../services/gateway/server/server.ts';
import { folderBlobStore } from '../../../shared/blobs/folder.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { connectRedis, waitForRedis } from '../../../shared/redis.ts';
import { policyOf } from '../../../shared/run-policy.ts';
import { sealerFor } from '../../../shared/secrets.ts';
import { createWakeups } from '../../../shared/wakeups.ts';

/** A gateway of which a test measures the process: nobody else's memory and time is in it. Says its port when it is there. */
const env = gatewayEnvironment.parse(process.env);
const log = createLog('gateway', env.RUNLET_LOG_LEVEL);
const keys = keysFor(env.RUNLET_REDIS_PREFIX);
const redis = connectRedis(env.RUNLET_REDIS_URL, 'request', log);
await waitForRedis(redis, env.RUNLET_REDIS_URL, 10_000);
const gateway = createGateway({
  env,
  policy: policyOf(env, env.RUNLET_MAX_PAYLOAD_BYTES),
  log,
  keys,
  redis,
  sealer: sealerFor(env.RUNLET_SECRET_KEY),
  wakeups: createWakeups(connectRedis(env.RUNLET_REDIS_URL, 'loop', log)),
  queue: createRunQueue(redis, keys, log),
  blobs: folderBlobStore(env.RUNLET_DATA_DIR),
  instance: env.RUNLET_REDIS_PREFIX,
});
const server = createHttpServer(createApp(gateway), createServiceProxy(gateway));
server.listen(0, '127.0.0.1', () =>
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`),
);
process.once('disconnect', () => process.exit(0));
