import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine, EngineInfo } from '../../../engine/engine.ts';

/** Why this driver cannot be used on this machine, and what to do about it where something should be done: in words for its operator. */
export type Unavailable = { unavailable: string; remedy?: string };

export const lacksRuntime: Unavailable = {
  unavailable: 'neither crun (1.8 or later) nor runc is installed on the worker’s machine',
  remedy: 'Install crun there (apt-get install crun).',
};

/** For what the machine said when it was tried. */
export const remedyForFault =
  'Mend that on the worker’s machine, and start the worker again; or set RUNLET_DRIVER=engine, if it is to stay so.';

/** What rules it out without a try. */
export function unsuited({
  engine,
  info,
}: {
  engine: Pick<Engine, 'local'>;
  info: Pick<EngineInfo, 'os' | 'storageDriver' | 'userNamespace' | 'confinement' | 'dataRoot'>;
}): Unavailable | null {
  if (process.platform !== 'linux' || info.os !== 'linux') return { unavailable: 'it needs Linux' };
  if (!engine.local) return { unavailable: 'the engine is on another machine' };
  if (process.getuid?.() !== 0)
    return {
      unavailable: 'the worker is not root',
      remedy: 'Run the worker as root, on its engine’s machine.',
    };
  if (info.storageDriver !== 'overlay2')
    return {
      unavailable: `the engine keeps its images with ${info.storageDriver}, not with overlay2`,
      remedy:
        'In the engine’s daemon.json: "storage-driver": "overlay2", and "features": {"containerd-snapshotter": false}. Its images are pulled anew then.',
    };
  if (info.userNamespace)
    return {
      unavailable: 'the engine maps users (rootless, userns-remap)',
      remedy: 'Have an engine that is neither rootless nor started with userns-remap.',
    };
  if (info.confinement.includes('selinux'))
    return { unavailable: 'the engine labels its containers for SELinux, which this driver does not' };
  if (!existsSync(join(info.dataRoot, 'overlay2/l')))
    return {
      unavailable: `the engine’s layers (${info.dataRoot}/overlay2) are not visible to the worker`,
      remedy:
        'Let the worker see that folder at the same path. For a worker in a container infra/compose/direct.yml does it.',
    };
  return null;
}
