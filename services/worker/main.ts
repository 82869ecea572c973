import { mkdir } from 'node:fs/promises';
import packageJson from '../../package.json' with { type: 'json' };
import { openBlobStore } from '../../shared/blobs/open.ts';
import { lockMsOf, takeEnvironment } from '../../shared/config.ts';
import { newId } from '../../shared/ids.ts';
import { createLog } from '../../shared/log.ts';
import { lookUpBy } from '../../shared/net/look-up.ts';
import { policyOf } from '../../shared/run-policy.ts';
import { createWakeups } from '../../shared/wakeups.ts';
import { connectStores } from './connect.ts';
import { createDiskWatch } from './disk/watch.ts';
import { createDockerEngine } from './engine/docker/docker-engine.ts';
import { workerEnvironment } from './environment.ts';
import { createImageProvider } from './images/image-provider.ts';
import { createRegistryGuard } from './images/registry/guard.ts';
import { watchCancels } from './intake/cancel-watch.ts';
import { createIntake } from './intake/intake.ts';
import { createRunQueue } from './intake/run-queue.ts';
import { createServiceRuns } from './intake/service-runs.ts';
import { createEgress } from './network/egress.ts';
import { callersOf, createFirewall } from './network/firewall.ts';
import { createOwnNetworks } from './network/own-networks.ts';
import { createServiceNetworks } from './network/service-networks.ts';
import { subnetPool } from './network/subnets.ts';
import { createCommands } from './node/commands.ts';
import { firewallFacts, readHostFacts } from './node/host-facts.ts';
import { capacityOf, createLedger } from './node/ledger.ts';
import { createReaper } from './node/reaper.ts';
import { createRegistrar } from './node/registrar.ts';
import { claimUserBlock } from './node/user-block.ts';
import { createActiveRuns } from './run/active-runs.ts';
import { artifactCollector } from './run/artifacts.ts';
import { attachInputFrom } from './run/attach-input.ts';
import { initVolume } from './sandbox/drivers/engine/init-volume.ts';
import { usersInUse } from './sandbox/drivers/oci/owners.ts';
import { placesIn } from './sandbox/drivers/oci/places.ts';
import { openSandboxes } from './sandbox/open-sandboxes.ts';
import { createRunUsers, userText } from './sandbox/users/run-users.ts';
import { memoryWatch } from './sandbox/warm/memory-watch.ts';
import { languageWarmer } from './sandbox/warm/warm-languages.ts';
import { createDetachedExec } from './services/detached-exec.ts';
import { createServiceInside } from './services/inside.ts';
import { openServices } from './services/open-services.ts';
import { createServiceRequests } from './services/requests.ts';
import { stopOnce } from './shutdown.ts';

const env = takeEnvironment(workerEnvironment);
const log = createLog('worker', env.RUNLET_LOG_LEVEL);
// A new life is a new worker: what the last one left is removed when it is heard of no more.
const workerId = newId('wrk');

await mkdir(env.RUNLET_DATA_DIR, { recursive: true });
const stores = await connectStores(env, log);
const { redis, keys, instance, runs, workers, operations } = stores;
await workers.announce(workerId);
const engine = createDockerEngine(
  {
    dockerHost: env.DOCKER_HOST,
    tlsVerify: Boolean(env.DOCKER_TLS_VERIFY),
    certPath: env.DOCKER_CERT_PATH || undefined,
  },
  log,
);
const engineInfo = await engine.info();
const ledger = createLedger(capacityOf(env, engineInfo));
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
const guard = createRegistryGuard({ env, engine: () => registrar.info(), lookUp: lookUpBy([]) });
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
  drivers: () => driverFacts(),
  isolations: () => drivers.isolations(),
  disksSeen: disk.sees,
  registries: (info) => guard.entries(info.registries),
  warm: () => sandboxes.pool.picture(),
  draining: () => intake.takesNoMore(),
  onEngineBack: () => sandboxes.pool.reconsider(),
  log,
});
const users = createRunUsers(env.RUNLET_RUN_USER);
const userBlock =
  env.RUNLET_RUN_USER === undefined
    ? await claimUserBlock({
        store: stores.userBlocks,
        engine,
        otherUsers: () => usersInUse(placesIn(env.RUNLET_STATE_DIR, env.RUNLET_DATA_DIR)),
        namespaced: engineInfo.userNamespace,
        instance,
        workerId,
        users,
        log,
      })
    : undefined;
const initVolumeOnEngine = await initVolume(engine, engineInfo.architecture, env.RUNLET_SANDBOX_INIT);
const { drivers, driverFacts, looks, sandboxes } = await openSandboxes({
  engine,
  info: registrar.info,
  engineInfo,
  env,
  worker: { worker: workerId, instance },
  egress,
  ownNetworksIn: (stateFolder) => createOwnNetworks({ ...networking, stateFolder }),
  initVolume: initVolumeOnEngine,
  users,
  busy: () => ledger.inUse().cpus > 0,
  wanted: () => ledger.waiting() > 0,
  memoryPressed: engine.local ? memoryWatch() : () => false,
  log,
});
const warmLanguages = languageWarmer({
  images: engine.images,
  info: engineInfo,
  sandboxes,
  policy: policyOf(env),
  log,
});
function imagesChanged(): void {
  images.forget();
  registrar.imagesChanged();
  sandboxes.pool.reconsider();
  void warmLanguages();
}
const images = createImageProvider({
  engine,
  info: registrar.info,
  registries: stores.registries,
  guard,
  pullTimeoutMs: env.RUNLET_PULL_TIMEOUT_MS,
  onPulled: imagesChanged,
});
const queue = createRunQueue({
  redis,
  ahead: stores.ahead,
  claims: runs,
  claimsAhead: stores.claimsAhead,
  keys,
  workerId,
  lockMs: lockMsOf(env),
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
  attachInput: attachInputFrom({ redis, connect: stores.connect, keys, log }),
  disk,
  log,
};
const intake = createIntake({
  workerId,
  queue,
  runs,
  workers,
  ledger,
  active,
  execution,
  ready: registrar.engineAnswers,
  log,
});
const detached = createDetachedExec({ engine, execs: stores.serviceExecs, isUnderWay: active.has });
const services = await openServices({
  engine,
  info: engineInfo,
  env,
  workerId,
  instance,
  store: stores.services,
  pulls: stores.servicePulls,
  workers,
  images,
  networks: createServiceNetworks(networking),
  initVolume: initVolumeOnEngine,
  disk,
  ledger,
  onKept: (service) => void detached.look(service).catch(() => {}),
  log,
});
detached.watch();
const initPath = initVolumeOnEngine.init.path;
const commands = createCommands({
  workerId,
  workers,
  operations,
  engine,
  drivers,
  sandboxes,
  images,
  imagesChanged,
  services,
  detached,
  serviceRuns: createServiceRuns({
    workerId,
    runs,
    inside: createServiceInside({ engine, initPath, services: stores.services, execs: stores.serviceExecs }),
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
  undrain: () => {
    log.info('takes runs again on request');
    sandboxes.pool.start();
    intake.resume();
    return registrar.beatOnce();
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
  pins: drivers,
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
  wakeups: createWakeups(stores.subscriber),
  active,
  onCommand: () => void commands.takeAll(),
  log,
});
intake.start();
sandboxes.pool.start();
services.start();
void warmLanguages();
log.info({ worker: workerId, engine: engineInfo.version, capacity: ledger.capacity }, 'ready');

const stop = stopOnce({
  commands,
  hurry: sandboxes.hurry,
  intake,
  drainMs: env.RUNLET_DRAIN_MS,
  registrar,
  watches: [stopWatching, () => detached.stop()],
  queue,
  looks,
  pool: sandboxes.pool,
  drivers,
  services,
  reaper,
  userBlock,
  disk,
  engine,
  disconnect: stores.disconnect,
  runsUnderWay: active.size,
  log,
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => void stop().then(() => process.exit(0)));
