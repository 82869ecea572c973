import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { within } from '../../../../../shared/within.ts';
import type { Isolation } from '../../driver.ts';
import { sandboxSpecFor } from '../../spec.ts';
import { usualUser } from '../../users/accounts.ts';
import type { RunUser } from '../../users/run-users.ts';
import { nameOf } from './owners.ts';
import { removeBox, type Starter, startBox } from './start.ts';

const MiB = 1024 * 1024;
const limits = {
  timeoutMs: 1_000,
  cpuTimeMs: null,
  memoryBytes: 64 * MiB,
  diskBytes: MiB,
  outputBytes: MiB,
  pids: 8,
  cpus: 1,
};

/** A machine that starts one at all does it within this, however busy it is. */
const readyMs = 30_000;
let trials = 0;

export type Trials = {
  /** An empty folder. */
  folder: string;
  worker: { worker: string; instance: string };
  user: RunUser;
  seccompProfile: string;
};

/** A sandbox with nothing in it but the init. What `look` says of it; then it is removed. */
async function tried<T>(
  starter: Starter,
  { folder, worker, user, seccompProfile }: Trials,
  isolation: Isolation,
  look: (pid: number, runtimeState: string) => Promise<T>,
): Promise<T> {
  const root = join(folder, 'root');
  await mkdir(root, { recursive: true });
  trials += 1;
  const spec = sandboxSpecFor(
    { limits, isolation, network: 'none', writable: false },
    { id: '', volumes: [], workdir: '' },
    {
      owner: { of: 'warm', owner: { warm: `probe-${worker.worker}-${trials}`, ...worker } },
      lease: { user, batch: [user], end: (remove) => remove() },
      userName: usualUser,
      files: () => [],
    },
    seccompProfile,
  );
  const name = nameOf(spec.owner);
  const image = { path: root, usualFolders: ['/tmp', '/work'], lower: { options: '', folder: '/' } };
  try {
    const { pid, session } = await startBox(starter, spec, { image, network: null });
    let isReady = false;
    await within(
      readyMs,
      session.ready.then(() => {
        isReady = true;
      }),
    );
    if (!isReady) throw new Error(`the init of a sandbox said nothing for ${readyMs / 1000} s`);
    const said = await look(pid, starter.machine.places.sandbox(name).runtimeState);
    session.close();
    return said;
  } finally {
    await removeBox(starter, name);
  }
}

/** Throws an Error where a sandbox cannot be started in gVisor. */
export const probeGvisor = (starter: Starter, trials: Trials): Promise<void> =>
  tried(starter, trials, 'gvisor', async () => {});

/**
 * Starts a sandbox to see whether this machine can. Answers the seccomp filter that the runtime made of the profile, in base64, where it can be
 * given to it ready-made from now on: a program that has it instead of the profile was seen to have a filter. `null`: the runtime takes none.
 * Throws an Error with what the machine says.
 */
export async function probeMachine(starter: Starter, trials: Trials): Promise<string | null> {
  const plain = await tried(starter, trials, 'container', filtersOf);
  if (plain.filters === 0) throw new Error('a sandbox had no seccomp filter');
  if (plain.compiled === null) return null;
  const seccomp = { compiled: plain.compiled };
  const withCompiled = { ...starter, machine: { ...starter.machine, seccomp } };
  const ready = await tried(withCompiled, trials, 'container', filtersOf);
  return ready.filters === plain.filters ? plain.compiled : null;
}

/** The filters of a sandbox's first process, and the compiled one as crun keeps it. */
async function filtersOf(
  pid: number,
  runtimeState: string,
): Promise<{ filters: number; compiled: string | null }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const compiled = await readFile(join(runtimeState, 'seccomp.bpf')).catch(() => null);
  return {
    filters: /^Seccomp:\s+2$/m.test(status)
      ? Number(/^Seccomp_filters:\s+(\d+)$/m.exec(status)?.[1] ?? 1)
      : 0,
    compiled: compiled && compiled.length > 0 ? compiled.toString('base64') : null,
  };
}
