import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDockerEngine } from '../../../../../services/worker/engine/docker/docker-engine.ts';
import type { Engine } from '../../../../../services/worker/engine/engine.ts';
import type { OwnNetworks } from '../../../../../services/worker/network/own-networks.ts';
import { openOciDriver } from '../../../../../services/worker/sandbox/drivers/oci/open-oci.ts';
import type { Runtime } from '../../../../../services/worker/sandbox/drivers/oci/runtime.ts';
import { runSeccompProfile } from '../../../../../services/worker/sandbox/seccomp.ts';
import { newId } from '../../../../../shared/ids.ts';
import { createLog } from '../../../../../shared/log.ts';
import type { DriverBench } from '../../driver.suite.ts';

const initProgram = fileURLToPath(new URL('../../../../../infra/sandbox-init/build/init', import.meta.url));

const launcherProgram = fileURLToPath(
  new URL('../../../../../infra/launcher/build/launcher', import.meta.url),
);

/** One folder for all, as on a machine with several workers. */
const usualStateDir = '/run/runlet-test';
const cgroups = '/sys/fs/cgroup';

/** Most tests want no network. */
const noNetworks: OwnNetworks = {
  unavailable: async () => 'no test asks for it',
  open: () => Promise.reject(new Error('no test asks for it')),
  close: async () => {},
  left: async () => [],
};

export const open = openWith({});

export type OciBench = DriverBench & { engine: Engine; dataDir: string; worker: string };

/** Opens the driver with one of the runtimes; in this process and in others. */
export function openWith({
  runtime,
  cgroup,
  stateDir = usualStateDir,
  networksIn = () => noNetworks,
  launcher = launcherProgram,
}: {
  runtime?: Runtime['kind'];
  cgroup?: string;
  stateDir?: string;
  networksIn?: (folder: string) => OwnNetworks;
  launcher?: string;
}) {
  return async (dockerHost: string): Promise<OciBench> => {
    const engine = createDockerEngine({ dockerHost });
    const info = await engine.info();
    const worker = { worker: newId('wrk'), instance: `oci-${process.pid}` };
    const dataDir = mkdtempSync(join(tmpdir(), 'runlet-oci-'));
    const opened = await openOciDriver({
      engine,
      info,
      worker,
      stateDir,
      dataDir,
      initProgram,
      launcherProgram: launcher,
      seccompProfile: await runSeccompProfile(),
      exampleUser: () => ({ uid: 1000, gid: 1000 }),
      newPin: () => newId('pin'),
      networksIn,
      ...(runtime !== undefined && { runtime }),
      ...(cgroup !== undefined && { cgroup }),
      log: createLog('test', 'warn'),
    });
    if ('unavailable' in opened) {
      rmSync(dataDir, { recursive: true });
      throw new Error(opened.unavailable);
    }
    const { driver } = opened;
    return {
      driver,
      engine,
      dataDir,
      worker: worker.worker,
      async image(reference = 'busybox') {
        const found = await engine.images.inspect(reference);
        if (found === null) throw new Error(`${reference} is not on the engine`);
        return found;
      },
      traces: (instance) => traces(stateDir, instance),
      close: () => {
        engine.close();
        rmSync(dataDir, { recursive: true, force: true });
      },
    };
  };
}

/** Everything on the machine that has the name of a sandbox of this Runlet: files, cgroups, mounts, processes. */
async function traces(stateDir: string, instance: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ['owners', 'boxes', 'runtime', 'networks'])
    found.push(...(await readdir(join(stateDir, folder)).catch(() => [])).map((name) => `${folder}/${name}`));
  for (const hierarchy of await readdir(cgroups))
    for (const name of await readdir(join(cgroups, hierarchy, 'runlet')).catch(() => []))
      found.push(`${hierarchy}/${name}`);
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(instance)) found.push(`${pid} ${command.replaceAll('\0', ' ')}`);
  }
  return found.filter((one) => one.includes(instance));
}
