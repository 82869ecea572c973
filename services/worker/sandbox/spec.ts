import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type {
  ContainerSpec,
  FileMount,
  Rlimit,
  Tmpfs,
  UpdatableLimits,
  VolumeMount,
} from '../engine/containers.ts';
import type { ImageInfo } from '../engine/images.ts';
import type { Labels } from '../engine/label-set.ts';
import { labelNames, type Owner } from '../labels.ts';
import { checkWorkdir, workdirFor, writableFolders } from './program/folders.ts';
import type { Lease } from './users/run-users.ts';
import { type RunUser, userText } from './users/user.ts';

/** What is the worker's to say of a sandbox. */
export type SandboxPolicy = {
  /** Never root, and no other sandbox's while this one is there (run-users.ts). */
  user: RunUser;
  /** infra/seccomp/profile.json, as text. */
  seccompProfile: string;
  /** The engine's runtime for isolation "gvisor". */
  gvisorRuntime: string;
};

/** The network that a run was given; absent: none. */
export type SandboxNetwork = { name: string; dns: string[] };

export const sandboxHostname = 'runlet';

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

/** The limits of a sandbox, and those that it can be given anew. */
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

export type SandboxFile = { path: string; data: Buffer };

/** What of a request shapes its container. All else is the program's: see program.ts. */
export type SandboxShape = Pick<RunRequest, 'limits' | 'isolation' | 'writable' | 'workdir'>;

/** The init that is PID 1 of every sandbox, the volume that brings it, and the hosts file of one without a network. */
export type SandboxInit = { volume: VolumeMount; path: string; hosts: FileMount };

/**
 * One sandbox's container: everything that may happen in it is said here. Pure.
 * `ofImage`: files in the place of the image's own. Throws a Problem `start_failed` for an image whose VOLUMEs cannot be had.
 */
export function sandboxSpecFor(
  shape: SandboxShape,
  image: ImageInfo,
  identity: { name: string; labels: Labels },
  policy: SandboxPolicy,
  init: SandboxInit,
  network?: SandboxNetwork,
  ofImage: FileMount[] = [],
): ContainerSpec {
  const { limits } = shape;
  const { user } = policy;
  const workdir = checkWorkdir(workdirFor(shape.workdir, image.workdir));
  const inGvisor = shape.isolation === 'gvisor';
  return {
    name: identity.name,
    labels: { ...identity.labels, [labelNames.user]: String(user.uid) },
    image: image.id,
    entrypoint: [init.path],
    // gVisor lets a program kill PID 1 and open its descriptors if it has its user: so there the init is root of the
    // sandbox's own kernel, and programs are told apart by it (infra/sandbox-init/README.md).
    command: inGvisor ? [userText(user)] : [],
    env: {},
    workdir,
    user: inGvisor ? '0:0' : userText(user),
    // The engine's default is the container's id, which is no program's business.
    hostname: sandboxHostname,
    stdin: true,
    network: network?.name ?? 'none',
    dns: network?.dns ?? [],
    readOnlyRoot: !shape.writable,
    tmpfs: writableFolders(image.volumes, workdir, limits.diskBytes, user),
    volumes: [init.volume],
    files: [...(network === undefined ? [init.hosts] : []), ...ofImage],
    ...updatableLimits(limits),
    shmBytes: Math.min(maxShmBytes, limits.diskBytes),
    rlimits: rlimitsFor(shape),
    capabilities: inGvisor ? ['KILL', 'SETGID', 'SETPCAP', 'SETUID'] : [],
    seccompProfile: policy.seccompProfile,
    runtime: inGvisor ? policy.gvisorRuntime : null,
    oomScoreAdj,
  };
}

/** The limits that a sandbox made ahead is given when it is taken. */
export function updatableLimits({ memoryBytes, pids, cpus }: RunRequest['limits']): UpdatableLimits {
  // The init is a process, too.
  return { memoryBytes, pids: pids + 1, cpus };
}

function rlimitsFor({ limits, writable }: SandboxShape): Rlimit[] {
  const rlimits: Rlimit[] = [{ name: 'nofile', soft: openFiles, hard: openFiles }, noCore];
  // One file only; the sum on the root filesystem is watched by `containerSize`.
  if (writable) rlimits.push({ name: 'fsize', soft: limits.diskBytes, hard: limits.diskBytes });
  return rlimits;
}
