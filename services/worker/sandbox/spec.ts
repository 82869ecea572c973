import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { Rlimit, Tmpfs, UpdatableLimits } from '../engine/containers.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { Owner } from '../labels.ts';
import { sandboxHostname } from './program/environment.ts';
import { checkWorkdir, workdirFor, writableFolders } from './program/folders.ts';
import type { Lease, RunUser } from './users/run-users.ts';

/** The path of the init, which is PID 1 in every sandbox. */
export const initPath = '/.runlet/init';

/** The limits of a sandbox that can be changed later. */
export type SandboxLimits = UpdatableLimits;

/** One sandbox, for any driver. It says everything that is allowed in it. */
export type SandboxSpec = {
  /** It belongs to a run, or it was made ahead. */
  owner: Extract<Owner, { of: 'run' | 'warm' }>;
  /** The id of an image that is present on the engine. */
  image: string;
  /** Its user, as long as it exists: never root, and never the user of another sandbox at the same time. */
  lease: Lease;
  /** The name of its user inside it. */
  userName: string;
  /** Read-only files that replace the image's own, made for this user. */
  files(user: RunUser): SandboxFile[];
  isolation: RunRequest['isolation'];
  network: RunRequest['network'];
  /** Whether the image's own folders can be written to. */
  writable: boolean;
  /** How much may be written there, as far as a driver can enforce it. `null`: nothing can be written. */
  rootBytes: number | null;
  hostname: string;
  workdir: string;
  /** Folders in memory. They are empty at first and belong to the user. */
  folders: Tmpfs[];
  limits: SandboxLimits;
  shmBytes: number;
  rlimits: Rlimit[];
  /** The text of infra/seccomp/profile.json. */
  seccompProfile: string;
  oomScoreAdj: number;
};

/** `name`: unique among the files of its sandbox, wherever they are kept. */
export type SandboxFile = { name: string; path: string; data: Buffer };

const MiB = 1024 * 1024;
/** Docker's default. With more, a run could have files in memory beyond its disk limit. */
const maxShmBytes = 64 * MiB;
/** Enough for any ordinary program. One run cannot fill the system's file table. */
const openFiles = 4096;
/**
 * No core file: it could have only one byte. And the host's core_pattern program is not called either: with 0, which
 * limits only files, the kernel still calls it; with 1 it does not (do_coredump in its fs/coredump.c). The seccomp
 * profile makes sure that nobody sets 0.
 */
export const noCore: Rlimit = { name: 'core', soft: 1, hard: 1 };
/** If the machine itself is short of memory, the kernel kills a run before the engine, Redis and the worker. */
const oomScoreAdj = 500;

/** The parts of a request that decide its sandbox. Everything else is about the program: see program/. */
export type SandboxShape = Pick<RunRequest, 'limits' | 'isolation' | 'network' | 'writable' | 'workdir'>;

/**
 * The sandbox for such a request. Pure. Throws a Problem `start_failed` for an image whose VOLUMEs or WORKDIR are not
 * possible in a sandbox.
 */
export function sandboxSpecFor(
  { limits, isolation, network, writable, workdir: requested }: SandboxShape,
  image: Pick<ImageInfo, 'id' | 'volumes' | 'workdir'>,
  whose: Pick<SandboxSpec, 'owner' | 'lease' | 'userName' | 'files'>,
  seccompProfile: string,
): SandboxSpec {
  const workdir = checkWorkdir(workdirFor(requested, image.workdir));
  return {
    ...whose,
    image: image.id,
    isolation,
    network,
    writable,
    rootBytes: writable ? limits.diskBytes : null,
    // Docker's default is the container's id, which programs should not see.
    hostname: sandboxHostname,
    workdir,
    folders: writableFolders(image.volumes, workdir, limits.diskBytes, whose.lease.user),
    limits: sandboxLimits(limits),
    shmBytes: Math.min(maxShmBytes, limits.diskBytes),
    rlimits: rlimitsFor(limits.diskBytes, writable),
    seccompProfile,
    oomScoreAdj,
  };
}

/** The limits that a sandbox made ahead gets when it is taken. */
export function sandboxLimits({ memoryBytes, pids, cpus }: RunRequest['limits']): SandboxLimits {
  // The init counts as a process, too.
  return { memoryBytes, pids: pids + 1, cpus };
}

function rlimitsFor(diskBytes: number, writable: boolean): Rlimit[] {
  const rlimits: Rlimit[] = [{ name: 'nofile', soft: openFiles, hard: openFiles }, noCore];
  // This limits each single file. The total is limited by the quota (rootBytes) or by the disk watch.
  if (writable) rlimits.push({ name: 'fsize', soft: diskBytes, hard: diskBytes });
  return rlimits;
}
