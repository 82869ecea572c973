import { newId } from '../../../shared/ids.ts';
import type { Log } from '../../../shared/log.ts';
import type { Engine, EngineInfo } from '../engine/engine.ts';
import type { WorkerEnvironment } from '../environment.ts';
import type { WarmOwner } from '../labels.ts';
import type { Egress } from '../network/egress.ts';
import type { OwnNetworks } from '../network/own-networks.ts';
import type { InitVolume } from './drivers/engine/init-volume.ts';
import { openDrivers } from './drivers/open-drivers.ts';
import { createImageLooks } from './image/image-looks.ts';
import { createSandboxes } from './sandboxes.ts';
import { runSeccompProfile } from './seccomp.ts';
import type { RunUsers } from './users/run-users.ts';

/** The sandboxes of this worker, and the drivers that make them, wired together. */
export async function openSandboxes(options: {
  engine: Engine;
  info: () => EngineInfo;
  /** As it was when the worker started. */
  engineInfo: EngineInfo;
  env: WorkerEnvironment;
  worker: Omit<WarmOwner, 'warm'>;
  egress: Egress;
  ownNetworksIn(folder: string): OwnNetworks;
  initVolume: InitVolume;
  users: RunUsers;
  busy: () => boolean;
  wanted: () => boolean;
  memoryPressed: () => boolean;
  log: Log;
}) {
  const { env, users } = options;
  const seccompProfile = await runSeccompProfile();
  const { drivers, facts } = await openDrivers(
    env.RUNLET_DRIVER,
    options,
    {
      ...options,
      info: options.engineInfo,
      stateDir: env.RUNLET_STATE_DIR,
      dataDir: env.RUNLET_DATA_DIR,
      initProgram: env.RUNLET_SANDBOX_INIT,
      launcherProgram: env.RUNLET_LAUNCHER,
      seccompProfile,
      exampleUser: users.example,
      newPin: () => newId('pin'),
      networksIn: options.ownNetworksIn,
    },
    options.log,
  );
  const looks = createImageLooks({
    ...options,
    seccompProfile,
    exampleUser: users.example,
    newId: () => newId('lok'),
    folder: env.RUNLET_DATA_DIR,
  });
  const sandboxes = createSandboxes({
    ...options,
    drivers,
    looks,
    seccompProfile,
    maxWarm: env.RUNLET_WARM_MAX,
    maxWarmBytes: env.RUNLET_WARM_MEMORY_BYTES,
  });
  return { drivers, driverFacts: facts, looks, sandboxes };
}
