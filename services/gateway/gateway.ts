import type { BlobStore } from '../../shared/blobs/blob-store.ts';
import type { RunPolicy } from '../../shared/contracts/run-request.ts';
import type { Keys } from '../../shared/keys.ts';
import type { Log } from '../../shared/log.ts';
import type { RedisConnection } from '../../shared/redis.ts';
import type { Sealer } from '../../shared/secrets.ts';
import { createApiKeyStore } from '../../shared/stores/api-keys.ts';
import { createDeliveryStore } from '../../shared/stores/deliveries.ts';
import { createIdempotencyStore } from '../../shared/stores/idempotency.ts';
import { createNotifierStore } from '../../shared/stores/notifiers.ts';
import { createOperationStore } from '../../shared/stores/operations.ts';
import { createOutboxStore } from '../../shared/stores/outbox.ts';
import { createRegistryStore } from '../../shared/stores/registries.ts';
import { previewer } from '../../shared/stores/run-preview.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { createServiceExecStore } from '../../shared/stores/service-execs.ts';
import { createServiceStore } from '../../shared/stores/services.ts';
import { createVolumeStore } from '../../shared/stores/volumes.ts';
import { createWebhookStore } from '../../shared/stores/webhooks.ts';
import { createWorkerStore } from '../../shared/stores/workers.ts';
import type { Wakeups } from '../../shared/wakeups.ts';
import type { GatewayEnvironment } from './environment.ts';
import { createKeyring } from './keys/keyring.ts';
import { createEndings } from './run-endings.ts';
import type { RunQueue } from './run-queue.ts';
import { createRefusals } from './run-refusals.ts';
import { createStoreRoom } from './store-room.ts';

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
  const { redis, keys, sealer } = parts;
  const closing = new AbortController();
  const hurry = new AbortController();
  const apiKeys = createApiKeyStore(redis, keys);
  const room = createStoreRoom(redis, parts.env, parts.log);
  return {
    ...parts,
    runs: createRunStore(redis, keys, sealer),
    endings: createEndings(parts.wakeups, keys),
    refusals: createRefusals(),
    room,
    // Beside what a tenant's requests may take.
    idempotency: createIdempotencyStore(redis, keys, sealer, { answersBytes: () => room.tenantBytes() / 8 }),
    apiKeys,
    keyring: createKeyring({ ...parts, apiKeys }),
    workers: createWorkerStore(redis, keys),
    operations: createOperationStore(redis, keys),
    registries: createRegistryStore(redis, keys, sealer),
    webhooks: createWebhookStore(redis, keys, sealer),
    deliveries: createDeliveryStore(redis, keys, sealer),
    outbox: createOutboxStore(redis, keys, sealer),
    notifiers: createNotifierStore(redis, keys),
    preview: previewer(redis, keys),
    services: createServiceStore(redis, keys, sealer),
    serviceExecs: createServiceExecStore(redis, keys),
    volumes: createVolumeStore(redis, keys),
    /** Aborted when the gateway stops: streams end; they are resumed elsewhere. */
    closing,
    /** Aborted when the time to stop runs out: who still waits gets its answer as things stand. */
    hurry,
  };
}
