import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureTools, type Tool } from './apt.ts';
import { type Child, startChild } from './child.ts';
import type { ChildRegister } from './child-register.ts';
import { makeBridge, removeBridge } from './engine-bridge.ts';
import { engineTrouble } from './engine-client.ts';
import { endEngineLeftovers } from './engine-leftovers.ts';
import { cleanNetwork, rememberNetwork } from './engine-network.ts';
import { waitUntil } from './pids.ts';
import { run } from './run.ts';
import type { Say } from './say.ts';

export interface OwnEngineOptions {
  socket: string;
  /** Images and containers. */
  dataRoot: string;
  /** Run-time state. Keep the path short: sockets live below it. */
  execRoot: string;
  pidfile: string;
  logFile: string;
  say: Say;
  /** Registries that are asked before the public registry, as http://host:port. */
  mirrors?: string[];
  /** OCI runtimes besides its own runc. The key is the name that a container asks for. */
  runtimes?: Record<string, OciRuntime>;
  /** For a second Engine on one machine. It has a bridge of its own, and does not change the machine's iptables rules. */
  second?: boolean;
  register?: ChildRegister;
  onCrash?: () => void;
}

/** With the field names of the Engine's own configuration file. */
export interface OciRuntime {
  path: string;
  runtimeArgs: string[];
}

export interface OwnEngine {
  dockerHost: string;
  child: Child;
  stop(): Promise<void>;
}

// containerd and runc come with docker.io. It only recommends iptables, but no bridge works without it.
export const engineTools: Tool[] = [
  { names: ['dockerd'], packages: ['docker.io'] },
  { names: ['iptables'], packages: ['iptables'] },
  { names: ['ip'], packages: ['iproute2'] },
  // Of the runtimes that the worker can start by itself the faster one.
  { names: ['crun'], packages: ['crun'] },
];

/** Starts a Docker Engine of our own and waits until it answers. */
export async function startEngine(options: OwnEngineOptions): Promise<OwnEngine> {
  if (userInfo().uid !== 0) {
    throw new Error(
      'No Docker Engine answers here, and starting one takes root. Start yours (for one, `sudo systemctl start docker`), ' +
        'or run Runlet as root: `sudo npm start`.',
    );
  }
  const [dockerd] = await ensureTools(engineTools, options.say);
  for (const folder of [options.dataRoot, options.execRoot, dirname(options.socket)])
    mkdirSync(folder, { recursive: true });
  clearStale(options);
  writeFileSync(configFile(options), `${JSON.stringify({ runtimes: options.runtimes ?? {} })}\n`);
  const bridge = options.second === true ? await makeBridge(options.dataRoot) : undefined;
  if (bridge === undefined) await rememberNetwork(options.dataRoot);
  const child = await startChild({
    name: 'dockerd',
    command: dockerd ?? 'dockerd',
    args: engineArguments(options, bridge),
    logFile: options.logFile,
    ...(options.register === undefined ? {} : { register: options.register }),
    ...(options.onCrash === undefined ? {} : { onCrash: options.onCrash }),
  });
  const engine: OwnEngine = {
    dockerHost: `unix://${options.socket}`,
    child,
    async stop() {
      // dockerd ends its containers, then its containerd, then itself.
      await child.stop(20_000);
      await endEngineLeftovers(options.execRoot);
      await unmountBelow(options.execRoot);
      await unmountBelow(options.dataRoot);
      rmSync(options.execRoot, { recursive: true, force: true });
      rmSync(options.socket, { force: true });
      rmSync(options.pidfile, { force: true });
      if (bridge === undefined) await cleanNetwork(options.dataRoot);
      else await removeBridge(bridge);
    },
  };
  const up = await waitUntil(
    async () =>
      !child.isRunning() ||
      (existsSync(options.socket) && (await engineTrouble(engine.dockerHost)) === undefined),
    60_000,
  );
  if (!up || !child.isRunning()) {
    const tail = child.tail();
    await engine.stop();
    throw new Error(
      `Docker Engine did not come up. The end of its log, ${options.logFile}:\n${tail}\n` +
        'If this machine is itself a container, it needs to be privileged; or point DOCKER_HOST at an Engine elsewhere.',
    );
  }
  return engine;
}

const configFile = (options: OwnEngineOptions) => join(options.dataRoot, 'runlet-daemon.json');

function engineArguments(options: OwnEngineOptions, bridge: string | undefined): string[] {
  return [
    `--host=unix://${options.socket}`,
    `--data-root=${options.dataRoot}`,
    `--exec-root=${options.execRoot}`,
    `--pidfile=${options.pidfile}`,
    // A file of our own: the machine's daemon.json is for the machine's own Engine, and may contradict these flags.
    `--config-file=${configFile(options)}`,
    // The logs of containers must be bounded here, since nothing else rotates them.
    '--log-opt=max-size=10m',
    '--log-opt=max-file=2',
    ...(options.mirrors ?? []).map((mirror) => `--registry-mirror=${mirror}`),
    ...(bridge === undefined ? [] : [`--bridge=${bridge}`, '--iptables=false', '--ip6tables=false']),
  ];
}

/** Removes what a kill -9 leaves: a socket on which nobody listens, and pidfiles whose numbers may now belong to other processes. */
function clearStale(options: OwnEngineOptions): void {
  for (const pidfile of [options.pidfile, join(options.execRoot, 'containerd/containerd.pid')]) {
    if (!runs(pidfile, /dockerd|containerd/)) rmSync(pidfile, { force: true });
  }
  // findEngine has already tried this socket, and nothing answered.
  if (!runs(options.pidfile, /dockerd/)) rmSync(options.socket, { force: true });
}

function runs(pidfile: string, program: RegExp): boolean {
  try {
    const pid = readFileSync(pidfile, 'utf8').trim();
    return program.test(readFileSync(`/proc/${pid}/comm`, 'utf8'));
  } catch {
    return false;
  }
}

/** Unmounts network namespaces and layers that are still mounted, deepest first. A folder with mounts in it cannot be removed. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter((path) => path.startsWith(`${folder}/`) || path === folder)
    .sort((a, b) => b.length - a.length);
  for (const path of mounts) await run('umount', ['-l', path], { allowFailure: true });
}
