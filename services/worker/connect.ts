import { keysFor } from '../../shared/keys.ts';
import type { Log } from '../../shared/log.ts';
import { closeRedis, connectRedis, waitForRedis } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { claimInstance } from '../../shared/stores/instance.ts';
import { createOperationStore } from '../../shared/stores/operations.ts';
import { createRegistryStore } from '../../shared/stores/registries.ts';
import { createRunClaims } from '../../shared/stores/run-claims.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { createServiceExecStore } from '../../shared/stores/service-execs.ts';
import { createServicePullStore } from '../../shared/stores/service-pulls.ts';
import { createServiceStore } from '../../shared/stores/services.ts';
import { createUserBlockStore } from '../../shared/stores/user-blocks.ts';
import { createWorkerStore } from '../../shared/stores/workers.ts';
import type { WorkerEnvironment } from './environment.ts';

/** The worker's connections to Redis, and its stores over them. Resolves when Redis answers. */
export async function connectStores(
  env: Pick<WorkerEnvironment, 'RUNLET_REDIS_URL' | 'RUNLET_REDIS_PREFIX' | 'RUNLET_SECRET_KEY'>,
  log: Log,
) {
  const connect = () => connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
  const keys = keysFor(env.RUNLET_REDIS_PREFIX);
  const sealer = sealerFor(env.RUNLET_SECRET_KEY);
  const redis = connect();
  const subscriber = connect();
  await waitForRedis(redis, env.RUNLET_REDIS_URL, 30_000);
  // What is sent over it waits until a job is there (intake/waiting-fetch.ts).
  const ahead = connect();
  return {
    connect,
    disconnect: () => Promise.all([redis, subscriber].map(closeRedis)),
    keys,
    redis,
    subscriber,
    ahead,
    instance: await claimInstance(redis, keys),
    runs: createRunStore(redis, keys, sealer),
    claimsAhead: createRunClaims(ahead, keys, sealer),
    workers: createWorkerStore(redis, keys),
    services: createServiceStore(redis, keys, sealer),
    servicePulls: createServicePullStore(redis, keys),
    serviceExecs: createServiceExecStore(redis, keys),
    operations: createOperationStore(redis, keys),
    registries: createRegistryStore(redis, keys, sealer),
    userBlocks: createUserBlockStore(redis, keys),
  };
}
