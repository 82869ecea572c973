import type { BlobStore } from '../../shared/blobs/blob-store.ts';
import type { RunPolicy } from '../../shared/contracts/run-request.ts';
import type { Keys } from '../../shared/keys.ts';
import type { Log } from '../../shared/log.ts';
import type { RedisConnection } from '../../shared/redis.ts';
import type { Sealer } from '../../shared/secrets.ts';
import { createAttachInput } from '../../shared/stores/attach.ts';
import { createDeliveryStore } from '../../shared/stores/deliveries.ts';
import { createNotifierStore } from '../../shared/stores/notifiers.ts';
import { createOperationStore } from '../../shared/stores/operations.ts';
import { createOutboxStore } from '../../shared/stores/outbox.ts';
import { createRegistryStore } from '../../shared/stores/registries.ts';
import { previewer } from '../../shared/stores/run-preview.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { createServiceExecStore } from '../../shared/stores/service-execs.ts';
import { createServicePullStore } from '../../shared/stores/service-pulls.ts';
import { createServiceStore } from '../../shared/stores/services.ts';
import { createVolumeStore } from '../../shared/stores/volumes.ts';
import { createWebhookStore } from '../../shared/stores/webhooks.ts';
import { createWorkerStore } from '../../shared/stores/workers.ts';
import type { Wakeups } from '../../shared/wakeups.ts';
import type { GatewayEnvironment } from './environment.ts';
import { createKeyring } from './keyring/keyring.ts';
import { createEndings } from './run-endings.ts';
import { createRunLooks } from './run-looks.ts';
import type { RunQueue } from './run-queue.ts';
import { createStoreRoom } from './store-room.ts';
import { createApiKeyStore } from './stores/api-keys.ts';
import { createEndedRunStore } from './stores/ended-runs.ts';
import { createFigureStore } from './stores/figures.ts';
import { createGatewayRegister } from './stores/gateways.ts';
import { createIdempotencyStore } from './stores/idempotency.ts';
import { createJanitorLock } from './stores/janitor-lock.ts';
import { createOpenRunStore } from './stores/open-runs.ts';
import { createRedisServer } from './stores/redis-server.ts';
import { createRunEventStore } from './stores/run-events.ts';
import { createRunListStore } from './stores/run-list.ts';
import { createTenantIndexStore } from './stores/tenant-indexes.ts';

/** What every route works with; made once by main.ts. */
export type Gateway = ReturnType<typeof createGateway>;

export function createGateway(parts: {
  env: GatewayEnvironment;
  policy: RunPolicy;
  log: Log;
  keys: Keys;
  redis: RedisConnection;
  sealer: Sealer;
  wakeups: Wakeups;
  queue: RunQueue;
  blobs: BlobStore;
  /** The name of this Runlet: its volumes on engines carry it. */
  instance: string;
}) {
  const { redis, ...rest } = parts;
  const { keys, sealer } = parts;
  const closing = new AbortController();
  const stopWaiting = new AbortController();
  const apiKeys = createApiKeyStore(redis, keys);
  const redisServer = createRedisServer(redis);
  const room = createStoreRoom(redisServer, parts.env, parts.log);
  const runs = createRunStore(redis, keys, sealer);
  return {
    ...rest,
    redisServer,
    janitorLock: createJanitorLock(redis, keys),
    runs,
    runEvents: createRunEventStore(redis, keys),
    runList: createRunListStore(redis, keys),
    openRuns: createOpenRunStore(redis, keys),
    endedRuns: createEndedRunStore(redis, keys),
    attachInput: createAttachInput(redis, keys),
    figures: createFigureStore(redis, keys),
    endings: createEndings(parts.wakeups, keys),
    lookAgain: createRunLooks(runs),
    room,
    // Beside what a tenant's requests may take.
    idempotency: createIdempotencyStore(redis, keys, sealer, { answersBytes: () => room.tenantBytes() / 8 }),
    tenantIndexes: createTenantIndexStore(redis, keys),
    apiKeys,
    keyring: createKeyring({ ...rest, apiKeys, register: createGatewayRegister(redis, keys) }),
    workers: createWorkerStore(redis, keys),
    operations: createOperationStore(redis, keys),
    registries: createRegistryStore(redis, keys, sealer),
    webhooks: createWebhookStore(redis, keys, sealer),
    deliveries: createDeliveryStore(redis, keys, sealer),
    outbox: createOutboxStore(redis, keys, sealer),
    notifiers: createNotifierStore(redis, keys),
    preview: previewer(redis, keys),
    services: createServiceStore(redis, keys, sealer),
    servicePulls: createServicePullStore(redis, keys),
    serviceExecs: createServiceExecStore(redis, keys),
    volumes: createVolumeStore(redis, keys),
    /** Aborted when the gateway begins to stop: streams end, and clients resume them elsewhere. */
    closing,
    /** Aborted shortly before the time to stop is over: requests that still wait are answered with what is known. */
    stopWaiting,
  };
}
