import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildImage } from '../images/build.ts';
import { pushToFolder } from '../images/push.ts';
import { seeds } from '../images/seeds.ts';
import type { ChildRegister } from '../parts/child-register.ts';
import { otherEngineRuns } from '../parts/engine-network.ts';
import { gvisorRuntime } from '../parts/gvisor.ts';
import { startEngine } from '../parts/own-engine.ts';
import { startRegistry } from '../parts/registry.ts';
import { type Say, step } from '../parts/say.ts';
import { privateRuntimeFolder } from '../parts/sockets.ts';
import type { Cleanup } from './cleanup.ts';
import type { Plan } from './plan.ts';
import { registryFolder } from './registry-folder.ts';
import type { Settings } from './settings.ts';
import { supervise } from './supervise.ts';

export interface EnginePart {
  dockerHost: string;
  /** True if we started it, false if we found it. */
  isOwn: boolean;
  /** Where the embedded registry listens, if there is one. */
  registry: string | undefined;
  /** Can images be pulled from the public registry? */
  online: boolean;
}

/** Starts an Engine unless one was found. If the public registry cannot be reached, an embedded registry is the Engine's mirror. */
export async function bringUpEngine(
  plan: Plan,
  settings: Settings,
  register: ChildRegister,
  cleanup: Cleanup,
  say: Say,
): Promise<EnginePart> {
  const { online, foundEngine } = plan;
  const registry = plan.startsRegistry ? await bringUpRegistry(settings, register, cleanup, say) : undefined;
  // Both happen at the same time: the Engine needs only the registry's address, not its images.
  const [dockerHost] = await Promise.all([
    foundEngine ?? bringUpOwnEngine(registry, settings, register, cleanup, say),
    registry === undefined ? undefined : seed(registry, settings, say),
  ]);
  return { dockerHost, isOwn: foundEngine === undefined, registry, online };
}

async function bringUpOwnEngine(
  registry: string | undefined,
  settings: Settings,
  register: ChildRegister,
  cleanup: Cleanup,
  say: Say,
): Promise<string> {
  const folder = join(settings.dataDir, 'engine');
  const runtime = privateRuntimeFolder(settings.dataDir);
  const second = otherEngineRuns();
  const engine = await supervise(
    'Docker Engine',
    (onCrash) =>
      step(say, 'Starting Docker Engine', () =>
        startEngine({
          // The usual path, so that a plain `docker ps` shows what runs. Another path if another Engine may use the usual one.
          socket: settings.engine === 'own' ? join(runtime, 'docker.sock') : '/var/run/docker.sock',
          dataRoot: join(folder, 'data'),
          execRoot: join(runtime, 'exec'),
          pidfile: join(runtime, 'dockerd.pid'),
          logFile: join(settings.dataDir, 'logs/dockerd.log'),
          mirrors: registry === undefined ? [] : [`http://${registry}`],
          // Only if gVisor is already installed: the operator decides on it and on its arguments.
          runtimes: gvisorRuntime(settings.runscArgs),
          second,
          say,
          register,
          onCrash,
        }),
      ),
    say,
  );
  await cleanup.add('engine', async () => {
    await engine.stop();
    rmSync(runtime, { recursive: true, force: true });
  });
  return engine.current.dockerHost;
}

async function bringUpRegistry(
  settings: Settings,
  register: ChildRegister,
  cleanup: Cleanup,
  say: Say,
): Promise<string> {
  let port = 5000;
  const registry = await supervise(
    'The embedded registry',
    async (onCrash) => {
      const running = await startRegistry({
        ...registryFolder(settings.dataDir, say),
        preferredPort: port,
        // Any user of this machine can reach the port.
        readOnly: true,
        register,
        onCrash,
      });
      // The Engine was started with this address, so it must be the same after a crash.
      port = Number(running.address.split(':')[1]);
      return { ...running, stop: (graceMs?: number) => running.child.stop(graceMs) };
    },
    say,
  );
  await cleanup.add('registry', () => registry.stop());
  return registry.current.address;
}

/** Puts the first images into the embedded registry, unless it has them. */
async function seed(address: string, settings: Settings, say: Say): Promise<void> {
  for (const name of seeds) {
    const layout = await buildImage(name, join(settings.dataDir, 'images'), say);
    if (await pushToFolder(layout, address, registryFolder(settings.dataDir, say)))
      say(`Put ${name} into the embedded registry, ${address}`);
  }
}
