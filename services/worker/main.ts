import { mkdir } from 'node:fs/promises';
import packageJson from '../../package.json' with { type: 'json' };
import { openBlobStore } from '../../shared/blobs/open.ts';
import { takeEnvironment } from '../../shared/config.ts';
import { newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { lookUpBy } from '../../shared/net/look-up.ts';
import { connectRedis, waitForRedis } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { claimInstance } from '../../shared/stores/instance.ts';
import { createOperationStore } from '../../shared/stores/operations.ts';
import { createRegistryStore } from '../../shared/stores/registries.ts';
import { createRunClaims } from '../../shared/stores/run-claims.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { createServiceExecStore } from '../../shared/stores/service-execs.ts';
import { createServiceStore } from '../../shared/stores/services.ts';
import { createUserBlockStore } from '../../shared/stores/user-blocks.ts';
import { createWorkerStore } from '../../shared/stores/workers.ts';
import { createWakeups } from '../../shared/wakeups.ts';
import { farewellMs, within } from '../../shared/within.ts';
import { createDiskWatch } from './disk/watch.ts';
import { createDockerEngine } from './engine/docker/docker-engine.ts';
import { workerEnvironment } from './environment.ts';
import { createImageProvider } from './images/image-provider.ts';
import { allowedEntries } from './images/registry/allowed.ts';
import { createRegistryGuard } from './images/registry/guard.ts';
import { watchCancels } from './intake/cancel-watch.ts';
import { createIntake } from './intake/intake.ts';
import { createRunQueue } from './intake/run-queue.ts';
import { createServiceRuns } from './intake/service-runs.ts';
import { createEgress } from './network/egress.ts';
import { callersOf, createFirewall } from './network/firewall.ts';
import { createServiceNetworks } from './network/service-networks.ts';
import { subnetPool } from './network/subnets.ts';
import { createCommands } from './node/commands.ts';
import { firewallFacts, readHostFacts } from './node/host-facts.ts';
import { createLedger } from './node/ledger.ts';
import { createReaper } from './node/reaper.ts';
import { createRegistrar } from './node/registrar.ts';
import { claimUserBlock } from './node/user-block.ts';
import { createActiveRuns } from './run/active-runs.ts';
import { artifactCollector } from './run/artifacts.ts';
import { attachInputFrom } from './run/attach-input.ts';
import { initVolume } from './sandbox/drivers/engine/init-volume.ts';
import { openSandboxes } from './sandbox/open-sandboxes.ts';
import { createRunUsers, userText } from './sandbox/users/run-users.ts';
import { memoryWatch } from './sandbox/warm/memory-watch.ts';
import { languageWarmer } from './sandbox/warm/warm-languages.ts';
import { createDetachedExec } from './services/detached-exec.ts';
import { createServiceInside } from './services/inside.ts';
import { openServices } from './services/open-services.ts';
import { createServiceRequests } from './services/requests.ts';

const env = takeEnvironment(workerEnvironment);
const log = createLog('worker', env.RUNLET_LOG_LEVEL);
// A new life is a new worker: what the last one left is removed when it is heard of no more.
const workerId = newId('wrk');

const keys = keysFor(env.RUNLET_REDIS_PREFIX);
const redis = connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
const subscriber = connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
await waitForRedis(redis, env.RUNLET_REDIS_URL, 30_000);
await mkdir(env.RUNLET_DATA_DIR, { recursive: true });
const instance = await claimInstance(redis, keys);

const sealer = sealerFor(env.RUNLET_SECRET_KEY);
const runs = createRunStore(redis, keys, sealer);
const ahead = connectRedis(env.RUNLET_REDIS_URL, 'loop', log);
const workers = createWorkerStore(redis, keys);
const engine = createDockerEngine({ dockerHost: env.DOCKER_HOST }, log);
const engineInfo = await engine.info();
const ledger = createLedger({
  memoryBytes: env.RUNLET_WORKER_MEMORY_BYTES || Math.floor(engineInfo.memoryBytes * 0.8),
  cpus: (env.RUNLET_WORKER_CPUS || engineInfo.cpus) * env.RUNLET_CPU_OVERCOMMIT,
});
const active = createActiveRuns();

const networking = {
  engine,
  firewall: createFirewall(env.RUNLET_EGRESS_DNS, {
    bounds: { connections: env.RUNLET_EGRESS_CONNECTIONS, callers: callersOf(env.RUNLET_GATEWAY_UID) },
    init: env.RUNLET_SANDBOX_INIT,
  }),
  subnets: subnetPool(env.RUNLET_EGRESS_POOL),
  resolvers: env.RUNLET_EGRESS_DNS,
  onFault: (error: Error) => log.warn({ reason: error.message }, 'connections of a network stay on record'),
};
const egress = createEgress(networking);
const disk = createDiskWatch({ engine, initPath: env.RUNLET_SANDBOX_INIT, log });
const registrar = createRegistrar({
  id: workerId,
  name: env.RUNLET_WORKER_NAME,
  version: packageJson.version,
  engine,
  dataDir: env.RUNLET_DATA_DIR,
  workers,
  ledger,
  egress: env.RUNLET_ALLOW_EGRESS && engine.local,
  runUser: env.RUNLET_RUN_USER ? userText(env.RUNLET_RUN_USER) : null,
  host: async () => (engine.local ? readHostFacts(await firewallFacts(networking.firewall)) : null),
  isolations: () => drivers.isolations(),
  disksSeen: disk.sees,
  registries: (info) => allowedEntries(env, info.registries),
  warm: () => sandboxes.pool.picture(),
  draining: () => !intake.isOpen(),
  onEngineBack: () => sandboxes.pool.reconsider(),
  log,
});
const users = createRunUsers(env.RUNLET_RUN_USER);
const userBlock =
  env.RUNLET_RUN_USER === undefined
    ? await claimUserBlock({
        store: createUserBlockStore(redis, keys),
        engine,
        namespaced: engineInfo.userNamespace,
        instance,
        workerId,
        users,
        log,
      })
    : undefined;
const initVolumeOnEngine = await initVolume(engine, engineInfo.architecture, env.RUNLET_SANDBOX_INIT);
const { drivers, looks, sandboxes } = await openSandboxes({
  engine,
  info: registrar.info,
  env,
  worker: { worker: workerId, instance },
  egress,
  initVolume: initVolumeOnEngine,
  users,
  busy: () => ledger.inUse().cpus > 0,
  wanted: () => ledger.waiting() > 0,
  memoryPressed: engine.local ? memoryWatch() : () => false,
  log,
});
const warmLanguages = languageWarmer({ images: engine.images, info: engineInfo, sandboxes, log });
function imagesChanged(): void {
  images.forget();
  registrar.imagesChanged();
  sandboxes.pool.reconsider();
  void warmLanguages();
}
const images = createImageProvider({
  engine,
  info: registrar.info,
  registries: createRegistryStore(redis, keys, sealer),
  guard: createRegistryGuard({
    env,
    engine: registrar.info,
    lookUp: lookUpBy([]),
  }),
  pullTimeoutMs: env.RUNLET_PULL_TIMEOUT_MS,
  onPulled: imagesChanged,
});
const queue = createRunQueue({
  redis,
  ahead,
  keys,
  workerId,
  log,
  onLockLost: (ids) => {
    for (const id of ids) active.stop(id, 'lock_lost');
  },
});
const blobs = await openBlobStore(env, instance);
const execution = {
  runs,
  images,
  sandboxes,
  collectArtifacts: artifactCollector(blobs, {
    count: env.RUNLET_MAX_ARTIFACTS,
    bytes: env.RUNLET_MAX_ARTIFACT_BYTES,
  }),
  maxOutputBytes: env.RUNLET_MAX_OUTPUT_BYTES,
  attachInput: attachInputFrom({
    redis,
    connect: () => connectRedis(env.RUNLET_REDIS_URL, 'loop', log),
    keys,
    log,
  }),
  disk,
  log,
};
const intake = createIntake({
  workerId,
  queue,
  runs,
  ahead: createRunClaims(ahead, keys, sealer),
  workers,
  ledger,
  active,
  execution,
  ready: registrar.engineAnswers,
  log,
});
const serviceStore = createServiceStore(redis, keys, sealer);
const serviceExecs = createServiceExecStore(redis, keys);
const detached = createDetachedExec({ engine, execs: serviceExecs, isUnderWay: active.has });
const services = await openServices({
  engine,
  info: engineInfo,
  env,
  workerId,
  instance,
  store: serviceStore,
  workers,
  images,
  networks: createServiceNetworks(networking),
  initVolume: initVolumeOnEngine,
  disk,
  ledger,
  onKept: (service) => void detached.look(service).catch(() => {}),
  log,
});
const operations = createOperationStore(redis, keys);
detached.watch();
const initPath = initVolumeOnEngine.init.path;
const commands = createCommands({
  workerId,
  workers,
  operations,
  engine,
  images,
  imagesChanged,
  services,
  detached,
  serviceRuns: createServiceRuns({
    workerId,
    runs,
    inside: createServiceInside({ engine, initPath, services: serviceStore, execs: serviceExecs }),
    detached,
    active,
    execution,
    log,
  }),
  requests: createServiceRequests({
    engine,
    initPath,
    operations,
    blobs,
    maxFileBytes: env.RUNLET_MAX_FILE_BYTES,
    workerId,
  }),
  drain: () => {
    log.info('drained on request');
    void sandboxes.pool.stop();
    intake.drain().then(registrar.beatOnce, (error) => log.error({ err: error }, 'not drained'));
  },
  log,
});
const reaper = createReaper({
  workerId,
  left: () => drivers.left(instance),
  workers,
  active,
  warm: sandboxes.pool,
  looks,
  services,
  log,
});

await registrar.start();
await reaper.start();
await queue.open();
const stopWatching = await watchCancels({
  workerId,
  keys,
  runs,
  wakeups: createWakeups(subscriber),
  active,
  onCommand: () => void commands.takeAll(),
  log,
});
intake.start();
sandboxes.pool.start();
services.start();
void warmLanguages();
log.info({ worker: workerId, engine: engineInfo.version, capacity: ledger.capacity }, 'ready');

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  log.info({ underWay: active.size() }, 'draining');
  const commandsEnded = commands.stop();
  sandboxes.hurry();
  const drained = intake.shutDown(env.RUNLET_DRAIN_MS);
  await within(farewellMs, registrar.beatOnce());
  await drained;
  stopWatching();
  detached.stop();
  await queue.close();
  const looked = looks.stop();
  await sandboxes.pool.stop();
  await within(farewellMs, looked);
  await within(farewellMs, drivers.close());
  await within(farewellMs, commandsEnded);
  await within(farewellMs, services.stop());
  await within(farewellMs, reaper.stop());
  await within(farewellMs, userBlock?.leave() ?? Promise.resolve());
  disk.close();
  engine.close();
  await within(farewellMs, registrar.leave());
  redis.disconnect();
  subscriber.disconnect();
  log.info('stopped');
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());
