import { newId } from '../../../shared/ids.ts';
import type { Log } from '../../../shared/log.ts';
import type { Engine, EngineInfo } from '../engine/engine.ts';
import type { WorkerEnvironment } from '../environment.ts';
import type { WarmOwner } from '../labels.ts';
import type { Egress } from '../network/egress.ts';
import { createDrivers } from './drivers/choose.ts';
import { createEngineDriver } from './drivers/engine/engine-driver.ts';
import type { InitVolume } from './drivers/engine/init-volume.ts';
import { createImageLooks } from './image/image-looks.ts';
import { createSandboxes } from './sandboxes.ts';
import { runSeccompProfile } from './seccomp.ts';
import type { RunUsers } from './users/run-users.ts';

/** The sandboxes of this worker, and the drivers that make them, wired together. */
export async function openSandboxes(options: {
  engine: Engine;
  info: () => EngineInfo;
  env: WorkerEnvironment;
  worker: Omit<WarmOwner, 'warm'>;
  egress: Egress;
  initVolume: InitVolume;
  users: RunUsers;
  busy: () => boolean;
  wanted: () => boolean;
  memoryPressed: () => boolean;
  log: Log;
}) {
  const { env, users } = options;
  const seccompProfile = await runSeccompProfile();
  const drivers = createDrivers(createEngineDriver(options));
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
  });
  return { drivers, looks, sandboxes };
}
