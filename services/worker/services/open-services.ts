import type { Log } from '../../../shared/log.ts';
import { presentService } from '../../../shared/stores/service-present.ts';
import type { ServicePullStore } from '../../../shared/stores/service-pulls.ts';
import type { ServiceStore } from '../../../shared/stores/services.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import type { DiskWatch } from '../disk/watch.ts';
import type { Engine, EngineInfo } from '../engine/engine.ts';
import type { WorkerEnvironment } from '../environment.ts';
import type { ImageProvider } from '../images/image-provider.ts';
import type { ServiceNetworks } from '../network/service-networks.ts';
import type { Ledger } from '../node/ledger.ts';
import type { InitVolume } from '../sandbox/drivers/engine/init-volume.ts';
import { serviceSeccompProfile } from '../sandbox/seccomp.ts';
import { createServiceContainers } from './containers.ts';
import { createServiceManager } from './manager.ts';

/** Wires together what keeps the services of this worker's engine. */
export async function openServices(options: {
  engine: Engine;
  info: EngineInfo;
  env: WorkerEnvironment;
  workerId: string;
  instance: string;
  store: ServiceStore;
  pulls: ServicePullStore;
  workers: WorkerStore;
  images: ImageProvider;
  networks: ServiceNetworks;
  initVolume: InitVolume;
  disk: Pick<DiskWatch, 'watch'>;
  ledger: Ledger;
  /** Called when this worker begins to keep a service. */
  onKept: (id: string) => void;
  log: Log;
}) {
  const { env, info } = options;
  const [from = 0, to = 0] = env.RUNLET_SERVICE_PORTS.split('-').map(Number);
  const containers = createServiceContainers({
    ...options,
    seccompProfile: await serviceSeccompProfile(),
    publish: {
      bind: env.RUNLET_SERVICE_BIND,
      host: env.RUNLET_SERVICE_HOST ?? env.RUNLET_SERVICE_BIND,
      from: Math.min(from, to),
      to: Math.max(from, to),
    },
  });
  return createServiceManager({
    ...options,
    engineId: info.id,
    containers,
    present: async (record) => presentService(await options.store.whole(record), env),
  });
}
