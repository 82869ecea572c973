import type { Containers } from './containers.ts';
import type { Images } from './images.ts';
import type { Networks } from './networks.ts';
import type { Volumes } from './volumes.ts';

/**
 * What Runlet needs of a container engine, and no more. Nothing here is particular to Docker, so that there can be a second
 * implementation.
 *
 * Rules for every method, unless it says otherwise:
 * - It has a deadline of its own (waits and pulls have none), and ends early with the `signal`'s reason.
 * - It throws a `Problem`; `engine_unavailable` whenever the engine cannot be reached or does not answer.
 * - Stopping and removing is idempotent: it succeeds where the thing is already dead or gone.
 */
export interface Engine {
  /** Answers when the engine does. */
  ping(signal?: AbortSignal): Promise<void>;
  info(signal?: AbortSignal): Promise<EngineInfo>;
  /** What it holds to a size by itself, as was tried when it was first asked; `again`: it may be another one by now. */
  diskQuotas(how?: { again: boolean }): Promise<DiskQuotas>;

  readonly images: Images;
  readonly containers: Containers;
  readonly volumes: Volumes;
  readonly networks: Networks;

  /** Whether the engine shares this machine's kernel and network (a unix socket); egress needs it. */
  readonly local: boolean;
  /** Closes idle connections. Running waits and attachments are the caller's to end. */
  close(): void;
}

export type EngineInfo = {
  /** Names the engine with its data: the same after a restart, and different from every other engine's. */
  id: string;
  name: string;
  version: string;
  apiVersion: string;
  runcVersion: string | null;
  storageDriver: string;
  /** Where it keeps its data, on its own machine. */
  dataRoot: string;
  /** `1` or `2`. */
  cgroupVersion: string;
  os: string;
  /** As in image manifests: `amd64`, `arm64`, … */
  architecture: string;
  kernel: string;
  cpus: number;
  memoryBytes: number;
  /** Its OCI runtimes by their names, as in `runc`, `runsc`. `path`: the program, or its name; `null` where another one starts it (a shim). */
  runtimes: Record<string, { path: string | null; args: string[] }>;
  /** Whether containers' users are mapped to other users of the machine, of which there are few (rootless, `userns-remap`). */
  userNamespace: boolean;
  /** What beside seccomp confines its containers, as in `apparmor`, `selinux`. */
  confinement: string[];
  registries: EngineRegistries;
};

/** How the engine's operator has set it up for registries. */
export type EngineRegistries = {
  /** URLs of registries that are asked first for images of the public one. */
  mirrors: string[];
  /** Registries that its configuration names, as image references name them. */
  named: string[];
  /** Registries and networks (CIDRs) for which it accepts plain HTTP and unknown certificates. */
  insecure: string[];
  /** The proxies that it uses, and the hosts that it calls without them, as in HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  proxy: { http: string; https: string; without: string };
};

/**
 * Whether the engine holds what a container writes to its root, and what a volume holds, to a size by the file system's project quotas: a
 * write past it fails (ENOSPC, EDQUOT).
 */
export type DiskQuotas = { roots: boolean; volumes: boolean };
