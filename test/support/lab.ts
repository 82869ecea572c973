import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildImage } from '../../infra/images/build.ts';
import { isLoaded, loadImage } from '../../infra/images/load.ts';
import { pushImage } from '../../infra/images/push.ts';
import { seedTools } from '../../infra/images/seeds.ts';
import { ensureTools } from '../../infra/parts/apt.ts';
import { findEngine } from '../../infra/parts/engine.ts';
import { engineAt } from '../../infra/parts/engine-client.ts';
import { gvisorRuntime, gvisorTool } from '../../infra/parts/gvisor.ts';
import { engineTools, startEngine } from '../../infra/parts/own-engine.ts';
import { redisTool, startRedis } from '../../infra/parts/redis.ts';
import { registryTool, startRegistry } from '../../infra/parts/registry.ts';
import { ensureStaticPrograms } from '../../infra/parts/static-programs.ts';
import { loadedImages } from './loaded-images.ts';

/** Where the real parts are. A test reads this with `inject('lab')`. See lab-images.ts for more images than the seeded ones. */
export interface Lab {
  /** A value for DOCKER_HOST. */
  dockerHost: string;
  /** A Redis for this test run only. All its tests share it, so use a prefix of your own (RUNLET_REDIS_PREFIX). */
  redisUrl: string;
  /**
   * host:port of a registry for this test run only. It has library/{hello-world,busybox} and
   * runlet-test/{traits,foreign,foreign-single,layers}.
   */
  registry: string;
  /** A registry that asks for credentials, with one image. */
  privateRegistry: { host: string; username: string; password: string; image: string };
  /** True if the Engine was started for this test run. Then the registry is its mirror, and plain names are pulled from there. */
  ownsEngine: boolean;
  /** Whether the Engine has gVisor's runtime, `runsc`. */
  gvisor: boolean;
  /** A temporary folder, removed at the end. */
  dataDir: string;
  /** Built images, kept between runs. */
  imageCache: string;
  /** Whether they can be built here: most need Debian's packages from the network. */
  builds: boolean;
}

declare module 'vitest' {
  interface ProvidedContext {
    lab: Lab;
  }
}

const seeded = ['hello-world', 'busybox', 'traits', 'foreign', 'foreign-single', 'layers'];

/** Images that every Engine can run by their plain names, as on a machine with internet access. */
const plain = ['hello-world', 'busybox'];

const username = 'lab';
const password = 'lab-only-password';
/** bcrypt of that password at the lowest cost, since it protects nothing and is checked at every request. */
const htpasswd = `${username}:$2b$04$tidM1Opxlvcu7Isa4gswSuRyzGpRmnMDraC7evfFnMk.6h5M4SzoK\n`;

/** Vitest's global set-up: starts the real parts, and returns the function that stops them all again. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { lab, stop } = await startLab((line) => console.log(`lab: ${line}`));
  project.provide('lab', lab);
  return stop;
}

/**
 * The same for programs that are not tests, for example the benchmarks. If RUNLET_TEST_LAB is set, it is a lab that another program starts
 * and stops.
 */
export async function startLab(
  say: (line: string) => void,
): Promise<{ lab: Lab; stop: () => Promise<void> }> {
  const given = process.env.RUNLET_TEST_LAB;
  if (given !== undefined) return { lab: JSON.parse(given) as Lab, stop: async () => {} };
  const dataDir = mkdtempSync(join(tmpdir(), 'runlet-lab-'));
  const undo: (() => Promise<void>)[] = [async () => rmSync(dataDir, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const imageCache = process.env.RUNLET_LAB_CACHE ?? join(homedir(), '.cache/runlet-lab');
    const log = (name: string) => join(dataDir, 'logs', `${name}.log`);

    const found = await findEngine();
    const engineNeeds = found === undefined ? engineTools : [];
    await ensureTools([redisTool, registryTool, ...seedTools, ...engineNeeds], say);
    await ensureStaticPrograms(say);

    const redis = await startRedis({ folder: join(dataDir, 'redis'), logFile: log('redis'), say });
    undo.push(() => redis.child.stop());
    const registry = await startRegistry({
      folder: join(dataDir, 'registry'),
      logFile: log('registry'),
      preferredPort: 0,
      say,
    });
    undo.push(() => registry.child.stop());
    const closed = await startRegistry({
      folder: join(dataDir, 'private-registry'),
      logFile: log('private-registry'),
      preferredPort: 0,
      htpasswd,
      say,
    });
    undo.push(() => closed.child.stop());

    for (const name of seeded) {
      await pushImage(await buildImage(name, imageCache, say), { address: registry.address });
    }
    const secret = await buildImage('private', imageCache, say);
    await pushImage(secret, { address: closed.address, credentials: { username, password } });

    const own =
      found === undefined ? await ownEngine(dataDir, registry.address, log('dockerd'), say) : undefined;
    if (own !== undefined) undo.push(() => own.stop());
    const dockerHost = own?.dockerHost ?? found ?? '';
    // The lab's own Engine is removed with everything in it.
    if (own === undefined)
      undo.push(() => forgetImages(dockerHost, [registry.address, closed.address], loadedImages(dataDir)));
    for (const name of plain) {
      const layout = await buildImage(name, imageCache, say);
      if (!(await isLoaded(layout, dockerHost))) await loadImage(layout, dockerHost);
    }

    const lab: Lab = {
      dockerHost,
      redisUrl: redis.url,
      registry: registry.address,
      privateRegistry: {
        host: closed.address,
        username,
        password,
        image: `${closed.address}/${secret.name}:${secret.tags[0] ?? 'latest'}`,
      },
      ownsEngine: own !== undefined,
      gvisor: 'runsc' in ((await engineAt(dockerHost).info()) as { Runtimes: object }).Runtimes,
      dataDir,
      imageCache,
      builds: process.env.RUNLET_TEST_OFFLINE === undefined,
    };
    return { lab, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * For machines that are virtual machines themselves. Some have no cgroups that gVisor can use, so here no cgroup limits
 * its memory and CPU. The platform `kvm` is not used, since it hangs when nested.
 */
const gvisorArgs = ['--network=none', '--ignore-cgroups', '--platform=ptrace'];

/** An Engine for this test run, if the machine has none. Its folder has a short path, since sockets are below it. */
async function ownEngine(dataDir: string, registry: string, logFile: string, say: (line: string) => void) {
  await ensureTools([gvisorTool], say).catch((error: Error) =>
    say(`without gVisor: ${error.message.split('\n')[0]}`),
  );
  const engine = await startEngine({
    socket: join(dataDir, 'docker.sock'),
    dataRoot: join(dataDir, 'docker'),
    execRoot: join(dataDir, 'exec'),
    pidfile: join(dataDir, 'dockerd.pid'),
    mirrors: [`http://${registry}`],
    runtimes: gvisorRuntime(gvisorArgs),
    logFile,
    say,
  });
  say(`started an Engine at ${engine.dockerHost}`);
  return engine;
}

/**
 * Removes images that the tests have loaded, and images that were pulled from the lab's registries. The port of these registries is gone
 * after this test run, so nobody could use the images again.
 */
async function forgetImages(dockerHost: string, registries: string[], loaded: string[]): Promise<void> {
  const engine = engineAt(dockerHost);
  const ours = (name: string) =>
    loaded.includes(name) || registries.some((registry) => name.startsWith(`${registry}/`));
  for (const image of await engine.listImages()) {
    const names = [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])].filter(ours);
    for (const name of names)
      await engine
        .getImage(name)
        .remove({ force: true })
        .catch(() => undefined);
  }
}
