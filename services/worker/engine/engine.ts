import type { Containers } from './containers.ts';
import type { Images } from './images.ts';
import type { Networks } from './networks.ts';
import type { Volumes } from './volumes.ts';

/**
 * What Runlet needs of a container engine, and no more. Nothing here speaks of Docker, so that a second
 * implementation can stand beside it.
 *
 * Rules for every method, unless it says otherwise:
 * - It has a deadline of its own (waits and pulls have none), and ends early with the `signal`'s reason.
 * - It throws a `Problem`; `engine_unavailable` whenever the engine cannot be reached or does not answer.
 * - Ending things is idempotent: what is already dead or gone is success.
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
  /** Of the engine with its data: the same after a restart, and no other engine's. */
  id: string;
  name: string;
  version: string;
  apiVersion: string;
  runcVersion: string | null;
  storageDriver: string;
  /** `1` or `2`. */
  cgroupVersion: string;
  os: string;
  /** As in image manifests: `amd64`, `arm64`, … */
  architecture: string;
  kernel: string;
  cpus: number;
  memoryBytes: number;
  /** Names of the OCI runtimes, as in `runc`, `runsc`. */
  runtimes: string[];
  /** Whether containers have users of their own, few of them, that are others on the machine (rootless, `userns-remap`). */
  userNamespace: boolean;
  registries: EngineRegistries;
};

/** How an engine is set up towards registries; by whoever runs it. */
export type EngineRegistries = {
  /** URLs of registries that are asked first for images of the public one. */
  mirrors: string[];
  /** Registries that it was told of by name, as references name them. */
  named: string[];
  /** Of these, and networks (CIDRs), where plain HTTP and unknown certificates are taken. */
  insecure: string[];
  /** URLs of the proxies that it calls by, and what it calls without them, as in HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  proxy: { http: string; https: string; without: string };
};

/**
 * Whether the engine holds what a container writes to its root, and what a volume holds, to a size by the file system's project quotas: a
 * write past it fails (ENOSPC, EDQUOT).
 */
export type DiskQuotas = { roots: boolean; volumes: boolean };
