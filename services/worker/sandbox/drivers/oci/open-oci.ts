import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { release } from 'node:os';
import { basename, join } from 'node:path';
import type { Log } from '../../../../../shared/log.ts';
import { Problem } from '../../../../../shared/problems.ts';
import type { Engine, EngineInfo } from '../../../engine/engine.ts';
import type { OwnNetworks } from '../../../network/own-networks.ts';
import type { SandboxDriver } from '../../driver.ts';
import { initPath } from '../../spec.ts';
import type { RunUser } from '../../users/run-users.ts';
import type { Machine } from './box.ts';
import { findCgroups } from './cgroups.ts';
import { openGvisor } from './gvisor.ts';
import { createImageRoots } from './image-roots.ts';
import { createLauncher } from './launcher.ts';
import { createOciDriver } from './oci-driver.ts';
import { placesIn } from './places.ts';
import { probeMachine } from './probe.ts';
import { canWait, findRuntime, makesCgroups, type Runtime } from './runtime.ts';
import { ociSeccomp } from './seccomp.ts';
import { openStdio } from './stdio.ts';
import { lacksRuntime, remedyForFault, type Unavailable, unsuited } from './unsuited.ts';
import { folderPin, noteWorker, workersLeft } from './worker-folders.ts';

export type OciOptions = {
  engine: Engine;
  info: EngineInfo;
  worker: { worker: string; instance: string };
  /** Best on a tmpfs, as /run mostly is: what is there is gone with a restart of the machine, as sandboxes are. */
  stateDir: string;
  dataDir: string;
  initProgram: string;
  launcherProgram: string;
  seccompProfile: string;
  exampleUser(): RunUser;
  newPin(): string;
  /** The runtime to be used; by itself crun, or runc where there is no crun. */
  runtime?: Runtime['kind'];
  /** The cgroup that all its sandboxes are below; by itself that of all workers of the machine. */
  cgroup?: string;
  /** Networks with egress of the driver's own, whose records are kept in this folder. */
  networksIn(folder: string): OwnNetworks;
  log: Log;
};

/** What they need may come and go: programs, rules, a setting of the kernel. */
const lookAtNetworksMs = 30_000;

/** Ready, with the names and versions of the runtimes that it uses now; or why it cannot be used on this machine. */
export type OciOpened = Opened | Unavailable;
type Opened = { driver: SandboxDriver; runtimes: () => string };

export async function openOciDriver(options: OciOptions): Promise<OciOpened> {
  const unavailable = unsuited(options);
  if (unavailable !== null) return unavailable;
  const runtime = await runtimeFor(options.runtime);
  if (runtime === undefined) return lacksRuntime;
  const { log } = options;
  if (canWait(runtime))
    try {
      return await tried(options, runtime, true);
    } catch (error) {
      const reason = (error as Error).message;
      log.warn(
        { runtime: nameOf(runtime), reason },
        'this runtime cannot wait for containers: each time it is executed',
      );
    }
  try {
    return await tried(options, runtime, false);
  } catch (error) {
    return { unavailable: (error as Error).message, remedy: remedyForFault };
  }
}

async function tried(options: OciOptions, runtime: Runtime, waiting: boolean): Promise<Opened> {
  const closing: Closing = [];
  try {
    return await open(options, runtime, waiting, closing);
  } catch (error) {
    // Nobody else would look for it, where this driver is not to be had.
    await closeAll(closing).catch((fault: Error) =>
      options.log.warn({ reason: fault.message }, 'not removed'),
    );
    throw error;
  }
}

/** What is to be closed or removed, the latest first. */
type Closing = (() => Promise<void>)[];

async function closeAll(closing: Closing): Promise<void> {
  for (const close of closing.toReversed()) await close();
}

async function runtimeFor(wanted: Runtime['kind'] | undefined): Promise<Runtime | undefined> {
  if (wanted !== undefined) return findRuntime(wanted);
  return (await findRuntime('crun')) ?? findRuntime('runc');
}

async function open(
  options: OciOptions,
  runtime: Runtime,
  waiting: boolean,
  closing: Closing,
): Promise<Opened> {
  const { engine, info, worker, log, seccompProfile } = options;
  const places = placesIn(options.stateDir, options.dataDir);
  const own = places.worker(worker.worker);
  const below = options.cgroup === undefined ? {} : { parent: options.cgroup };
  const cgroups = findCgroups(makesCgroups(runtime), below);
  closing.push(async () => {
    for (const folder of [own.folder, own.initFolder]) await rm(folder, { recursive: true, force: true });
  });
  for (const folder of [
    places.owners,
    places.boxes,
    places.runtime,
    places.disk,
    own.launcherRoot,
    own.images,
    own.initFolder,
  ])
    await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const folder of [own.folder, own.initFolder]) await noteWorker(folder, worker.instance);
  const init = join(own.initFolder, 'init');
  await mkdir(init, { recursive: true });
  await copyFile(options.initProgram, join(init, basename(initPath)));
  cgroups.prepare();
  const stdio = await openStdio(own.socket);
  closing.push(() => stdio.close());
  const launcher = createLauncher({
    program: options.launcherProgram,
    waiting,
    root: own.launcherRoot,
    kept: [...new Set([places.state, options.dataDir, info.dataRoot])],
    onLost: () => roots.lost(),
    log,
  });
  closing.push(() => launcher.close());
  const roots = createImageRoots({
    engine,
    launcher,
    folder: own.images,
    worker,
    newId: options.newPin,
    exampleUser: options.exampleUser,
    seccompProfile,
    log,
  });
  closing.push(() => roots.close());
  const machine: Machine = {
    places,
    cgroups,
    runtime,
    initFolder: init,
    kernel: release(),
    seccomp: { profile: ociSeccomp(seccompProfile) },
    apparmorProfile: await apparmorProfile(info),
    gvisor: null,
  };
  const starter = { machine, launcher, stdio, socket: own.socket };
  const trials = {
    folder: join(own.folder, 'probe'),
    worker,
    user: options.exampleUser(),
    seccompProfile,
  };
  const compiled = await probeMachine(starter, trials);
  if (compiled !== null) machine.seccomp = { compiled };
  const gvisor = openGvisor({ info, cgroups: () => findCgroups(false, below), starter, trials, log });
  closing.push(() => gvisor.close());
  const { roots: hasRootQuotas } = await engine.diskQuotas();
  const networks = options.networksIn(places.networks);
  let noNetworks = await networks.unavailable();
  const looking = setInterval(() => {
    networks.unavailable().then(
      (reason) => {
        noNetworks = reason;
      },
      (error: Error) => log.warn({ reason: error.message }, 'networks cannot be looked at'),
    );
  }, lookAtNetworksMs);
  looking.unref();
  closing.push(async () => clearInterval(looking));
  const driver = createOciDriver({
    starter,
    roots,
    networks,
    refuses: refusing(machine, hasRootQuotas, () => noNetworks),
    workersLeft: (instance) => workersLeft(places, instance),
    holds: (pin) => pin === folderPin(worker.worker) || roots.holds(pin),
    close: () => closeAll(closing),
    log,
  });
  const runtimes = () => [runtime, ...(machine.gvisor === null ? [] : [machine.gvisor.runtime])];
  return { driver, runtimes: () => runtimes().map(nameOf).join(', ') };
}

const nameOf = ({ kind, version }: Runtime) => `${kind} ${version}`;

/** The engine's own profile, where it uses AppArmor: it is loaded then. */
async function apparmorProfile(info: EngineInfo): Promise<string | null> {
  if (!info.confinement.includes('apparmor')) return null;
  const loaded = await readFile('/sys/kernel/security/apparmor/profiles', 'utf8').catch(() => '');
  return /^docker-default /m.test(loaded) ? 'docker-default' : null;
}

/** What the engine's driver is for. */
const refusing =
  (
    machine: Pick<Machine, 'gvisor'>,
    hasRootQuotas: boolean,
    noNetworks: () => string | null,
  ): SandboxDriver['refuses'] =>
  ({ isolation, network, writable }) => {
    if (isolation === 'gvisor' && (machine.gvisor === null || network === 'egress'))
      return new Problem('isolation_unavailable', 'gVisor is started by the engine here.');
    // A quota holds what is written before it is there; this driver could only watch it.
    if (writable && hasRootQuotas)
      return new Problem(
        'start_failed',
        'Roots that can be written to are the engine’s: it has quotas for them.',
      );
    const reason = network === 'egress' ? noNetworks() : null;
    return reason === null ? null : new Problem('egress_unavailable', `Without the engine: ${reason}.`);
  };
