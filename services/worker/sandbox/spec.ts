import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { Rlimit, Tmpfs, UpdatableLimits } from '../engine/containers.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { Owner } from '../labels.ts';
import { sandboxHostname } from './program/environment.ts';
import { checkWorkdir, workdirFor, writableFolders } from './program/folders.ts';
import type { Lease, RunUser } from './users/run-users.ts';

/** Where every sandbox has the init that is its PID 1. */
export const initPath = '/.runlet/init';

/** The limits that a sandbox can be given anew. */
export type SandboxLimits = UpdatableLimits;

/** One sandbox, whichever driver makes it: everything that may happen in it is said here. */
export type SandboxSpec = {
  /** A run's, or made ahead. */
  owner: Extract<Owner, { of: 'run' | 'warm' }>;
  /** The id of an image that is present. */
  image: string;
  /** Its user, until it is gone: never root, and no other sandbox's meanwhile. */
  lease: Lease;
  /** What its user is called in it. */
  userName: string;
  /** Files that lie over the image's own, read-only; as they are for this user. */
  files(user: RunUser): SandboxFile[];
  isolation: RunRequest['isolation'];
  network: RunRequest['network'];
  /** Whether the image's own folders can be written to. */
  writable: boolean;
  /** What may be written there, as far as a driver can hold it to that; `null`: nothing can be. */
  rootBytes: number | null;
  hostname: string;
  workdir: string;
  /** In memory, empty, the user's own. */
  folders: Tmpfs[];
  limits: SandboxLimits;
  shmBytes: number;
  rlimits: Rlimit[];
  /** infra/seccomp/profile.json, as text. */
  seccompProfile: string;
  oomScoreAdj: number;
};

/** `name`: what it is called among the others of its sandbox, wherever they are kept. */
export type SandboxFile = { name: string; path: string; data: Buffer };

const MiB = 1024 * 1024;
/** Docker's own default; a larger one would let a run have memory-backed files beyond its disk limit. */
const maxShmBytes = 64 * MiB;
/** Enough for any ordinary program, and one run cannot fill the system's file table. */
const openFiles = 4096;
/**
 * No core file: it would have to be of one byte. And no call of the program that the host's core_pattern pipes to: with 0, which is of
 * files alone, the kernel makes that call; with 1 it does not (do_coredump in its fs/coredump.c). That nobody sets 0 is the seccomp profile's.
 */
export const noCore: Rlimit = { name: 'core', soft: 1, hard: 1 };
/** Under memory pressure of the machine itself a run goes before the engine, Redis and the worker. */
const oomScoreAdj = 500;

/** What of a request shapes its sandbox. All else is the program's: see program/. */
export type SandboxShape = Pick<RunRequest, 'limits' | 'isolation' | 'network' | 'writable' | 'workdir'>;

/**
 * The sandbox that such a request asks for. Pure. Throws a Problem `start_failed` for an image whose VOLUMEs or WORKDIR no sandbox can
 * have.
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
    // Docker's default is the container's id, which is no program's business.
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

/** The limits that a sandbox made ahead is given when it is taken. */
export function sandboxLimits({ memoryBytes, pids, cpus }: RunRequest['limits']): SandboxLimits {
  // The init is a process, too.
  return { memoryBytes, pids: pids + 1, cpus };
}

function rlimitsFor(diskBytes: number, writable: boolean): Rlimit[] {
  const rlimits: Rlimit[] = [{ name: 'nofile', soft: openFiles, hard: openFiles }, noCore];
  // One file only; the sum is the quota's (rootBytes), or the watch's.
  if (writable) rlimits.push({ name: 'fsize', soft: diskBytes, hard: diskBytes });
  return rlimits;
}
