import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { ContainerSpec, ImageInfo, Rlimit } from '../engine/engine.ts';
import { resolveCommand } from './command.ts';
import { homeFor, workdirFor, writableFolders } from './folders.ts';
import { labelsFor, type SandboxOwner, sandboxName } from './labels.ts';
import { parseUser } from './user.ts';

/** What the operator decides for every sandbox of a worker. */
export type SandboxPolicy = {
  /** Numeric `uid:gid`, never root: names would be looked up in the image's own passwd file. */
  user: string;
  /** infra/seccomp/profile.json, as text. */
  seccompProfile: string;
  /** The engine's runtime for isolation "gvisor". */
  gvisorRuntime: string;
};

/** The network that a run was given; absent: none. */
export type SandboxNetwork = { name: string; dns: string[] };

const MiB = 1024 * 1024;
/** Docker's own default; a larger one would let a run have memory-backed files beyond its disk limit. */
const maxShmBytes = 64 * MiB;
/** Enough for any ordinary program, and one run cannot fill the system's file table. */
const openFiles = 4096;
/** Under memory pressure of the machine itself a run goes before the engine, Redis and the worker. */
const oomScoreAdj = 500;

/**
 * One run's container: everything it may do is said here. Pure.
 * Throws a Problem: `image_without_command`, or `start_failed` for an image whose VOLUMEs cannot be had.
 */
export function containerSpecFor(
  request: RunRequest,
  image: ImageInfo,
  owner: SandboxOwner,
  policy: SandboxPolicy,
  network?: SandboxNetwork,
): ContainerSpec {
  const { limits } = request;
  const workdir = workdirFor(request.workdir, image.workdir);
  const tmpfs = writableFolders(image.volumes, workdir, limits.diskBytes, parseUser(policy.user));
  return {
    name: sandboxName(owner),
    image: image.id,
    labels: labelsFor(owner),
    ...resolveCommand(request, image, request.image ?? image.id),
    env: { ...request.env, HOME: homeFor(request.env, image.env, tmpfs) },
    workdir,
    user: policy.user,
    // The engine's default is the container's id, which is no program's business.
    hostname: 'runlet',
    stdin: request.stdin !== undefined,
    network: network?.name ?? 'none',
    dns: network?.dns ?? [],
    readOnlyRoot: !request.writable,
    tmpfs,
    memoryBytes: limits.memoryBytes,
    pids: limits.pids,
    cpus: limits.cpus,
    shmBytes: Math.min(maxShmBytes, limits.diskBytes),
    rlimits: rlimitsFor(request),
    capabilities: [],
    seccompProfile: policy.seccompProfile,
    runtime: request.isolation === 'gvisor' ? policy.gvisorRuntime : null,
    oomScoreAdj,
  };
}

function rlimitsFor({ limits, writable }: RunRequest): Rlimit[] {
  const rlimits: Rlimit[] = [
    { name: 'nofile', soft: openFiles, hard: openFiles },
    // No core file, and no call of the host's core_pattern program.
    { name: 'core', soft: 0, hard: 0 },
  ];
  if (limits.cpuTimeMs !== null) {
    // The kernel counts whole seconds, and per process: SIGXCPU at the soft limit, SIGKILL a second later.
    const seconds = Math.ceil(limits.cpuTimeMs / 1000);
    rlimits.push({ name: 'cpu', soft: seconds, hard: seconds + 1 });
  }
  // One file only; the sum on the root filesystem is watched by `containerSize`.
  if (writable) rlimits.push({ name: 'fsize', soft: limits.diskBytes, hard: limits.diskBytes });
  return rlimits;
}
