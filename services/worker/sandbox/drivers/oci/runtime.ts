import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import semver from 'semver';
import type { EngineInfo } from '../../../engine/engine.ts';
import { gvisorRuntime } from '../engine/container-spec.ts';
import type { Launch } from './launcher.ts';

/** A program that starts containers as the OCI runtime specification says. */
export type Runtime = {
  kind: 'crun' | 'runc' | 'runsc';
  path: string;
  version: string;
  /** What it is given before its command. */
  options: string[];
};

const run = promisify(execFile);
/** Before it, crun may not take a compiled filter, and knows fewer of the options that are used here. */
const oldestCrun = '1.8.0';
/** An operator's root may have no sbin in its path. */
const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** @param program its name, or its path */
async function find(program: string): Promise<string | undefined> {
  if (isAbsolute(program)) return program;
  const places = new Set([
    ...(process.env.PATH ?? '').split(delimiter).filter((one) => one !== ''),
    ...folders,
  ]);
  for (const folder of places) {
    const path = join(folder, program);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** A runtime of this machine, by its name. `undefined`: there is none, or it is too old. */
export async function findRuntime(kind: Runtime['kind']): Promise<Runtime | undefined> {
  const path = await find(kind);
  return path === undefined
    ? undefined
    : asked(kind, path, kind === 'crun' ? ['--cgroup-manager=disabled'] : []);
}

/**
 * gVisor's, with the arguments that the engine has for it: its operator knows which platform works on the machine. The sandbox's cgroups and
 * its network, which is none, are the driver's. `undefined`: the engine has none.
 */
export async function findGvisor({ runtimes }: Pick<EngineInfo, 'runtimes'>): Promise<Runtime | undefined> {
  const runtime = runtimes[gvisorRuntime];
  if (runtime === undefined) return undefined;
  const path = await find(runtime.path ?? 'runsc');
  const own = runtime.args.filter((one) => !/^--?(?:network|ignore-cgroups|root)\b/.test(one));
  return path === undefined
    ? undefined
    : asked('runsc', path, [...own, '--network=none', '--ignore-cgroups']);
}

async function asked(kind: Runtime['kind'], path: string, options: string[]): Promise<Runtime | undefined> {
  const { stdout } = await run(path, ['--version'], { timeout: 10_000 }).catch(() => ({ stdout: '' }));
  const version = /(?:version )?(?:release-)?(\d+\.[\w.~+-]+)/.exec(stdout)?.[1] ?? '';
  if (kind === 'crun' && semver.lt(semver.coerce(version) ?? '0.0.0', oldestCrun)) return undefined;
  return version === '' ? undefined : { kind, path, version, options };
}

/**
 * Whether it makes the container's cgroups and enters them by itself. That takes 10 to 15 ms of waiting, so crun is started within them
 * instead; runc has no such mode.
 */
export const makesCgroups = ({ kind }: Runtime): boolean => kind === 'runc';

/** Whether it may be kept loaded: a program in C with one thread. (infra/launcher/README.md, "A runtime that waits") */
export const canWait = ({ kind }: Runtime): boolean => kind === 'crun';

export function howTo(runtime: Runtime): Launch['how'] {
  if (runtime.kind === 'runsc') return 'file';
  return canWait(runtime) ? 'waiting' : 'anew';
}

/** Starts the container in the background: it ends when the container's program runs. `state`: a folder of the container's own. */
export function runArguments(
  { kind, path, options }: Runtime,
  { id, state, bundle, pidFile }: { id: string; state: string; bundle: string; pidFile: string },
): string[] {
  return [
    path,
    '--root',
    // runsc's files lie side by side, the others have a folder for each container.
    kind === 'runsc' ? state : dirname(state),
    ...options,
    'run',
    '--detach',
    '--pid-file',
    pidFile,
    '--bundle',
    bundle,
    id,
  ];
}
