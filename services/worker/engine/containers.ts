import type { Readable } from 'node:stream';
import type { Labels } from './label-set.ts';
import type { Attachment } from './streams.ts';

/** Containers, and what runs in them. The rules of every method are in engine.ts. */
export interface Containers {
  /**
   * Makes a container, not yet running. The name in the spec is the key: a stale container of this name and with
   * the same labels is removed first; an answer that got lost is recovered by name.
   * Problems: `image_not_present`, `isolation_unavailable`, `conflict`, `start_failed`.
   */
  create(spec: ContainerSpec, signal?: AbortSignal): Promise<ContainerId>;
  /** Connects to the program's streams. Attach before `start`, then not one byte is lost. */
  attach(id: ContainerId, options: { stdin: boolean; signal?: AbortSignal }): Promise<Attachment>;
  /** How the container ended; at once when it does not run. No deadline: bound it with `signal`. Problem: `container_lost`. */
  exit(id: ContainerId, signal?: AbortSignal): Promise<{ exitCode: number }>;
  /**
   * Starts the program. Never repeated by itself: a lost answer is `engine_unavailable`, and `inspect` tells.
   * Problems: `command_not_found`, `command_not_executable`, `start_failed`, `container_lost`; `conflict` when a port
   * of the machine that it publishes is taken.
   */
  start(id: ContainerId, signal?: AbortSignal): Promise<void>;
  /**
   * `name` as in `SIGKILL`. Quiet when the container is not running or gone. Go on reading its output, or close the
   * attachment: Docker answers only when what the program wrote has been taken.
   */
  kill(id: ContainerId, name: string, signal?: AbortSignal): Promise<void>;
  /**
   * Asks the program to end (SIGTERM, or the signal that its image names), kills it when it has not within `graceMs`
   * (an engine may count whole seconds), and returns when it is dead. Quiet when it is not running or gone.
   */
  stop(id: ContainerId, graceMs: number, signal?: AbortSignal): Promise<void>;
  /**
   * Runs one more program in a running container, its streams attached. One that cannot be executed is no Problem here:
   * its output says so, and ends. Closing the attachment closes the program's stdin and no more: it should end by that.
   * Problem: `container_lost` when the container is gone or does not run.
   */
  exec(id: ContainerId, spec: ExecSpec, signal?: AbortSignal): Promise<ExecAttachment>;
  /**
   * Runs one more program in a running container, its streams nobody's. It outlives the call, and whoever made it, and ends with the
   * container. Problems: as `start`; `container_lost` when the container is gone or does not run.
   */
  execDetached(id: ContainerId, spec: ExecSpec, signal?: AbortSignal): Promise<ExecId>;
  /** `null` when the engine knows nothing of it any more: it has ended a while ago, or went with its container. */
  inspectExec(id: ExecId, signal?: AbortSignal): Promise<ExecState | null>;
  /**
   * What a container with `service` has written so far, `LogLine`s in object mode; with `follow` also what it writes until
   * it ends. Reading slowly costs no memory. Breaks with `engine_unavailable`. Problem: `container_lost` when it is gone.
   */
  logs(id: ContainerId, options: LogOptions): Promise<Readable>;
  /** By id or name; `null` when there is none. */
  inspect(idOrName: string, signal?: AbortSignal): Promise<ContainerState | null>;
  /** Kills it if it runs, removes it with its anonymous volumes, and returns when it is gone. By id or name. */
  remove(idOrName: string, signal?: AbortSignal): Promise<void>;
  /** All containers, running or not, that carry every one of these labels. An empty value: any value. */
  list(labels: Labels, signal?: AbortSignal): Promise<ContainerSummary[]>;
  /** Sets limits anew, also of a running container. A Problem `container_lost` when it is gone. */
  update(id: ContainerId, limits: UpdatableLimits, signal?: AbortSignal): Promise<void>;
  /** Gives a container another name; a Problem `conflict` when it is taken, `container_lost` when it is gone. */
  rename(id: ContainerId, name: string, signal?: AbortSignal): Promise<void>;
  /**
   * Bytes that the container has written to its own root filesystem (tmpfs apart), but for files that it has deleted and still holds, and for
   * volumes; `null` when it is gone.
   */
  size(id: ContainerId, signal?: AbortSignal): Promise<number | null>;
  /** Where on the engine's machine a container's writes end up; `null` when it is gone. */
  diskPlaces(id: ContainerId, signal?: AbortSignal): Promise<DiskPlaces | null>;
  /**
   * What lies at a path of a container that need not have run, as a tar whose first entry is named by the path's last part; `null` when
   * nothing is there. Links on the way are followed within the container, one at the end is not. No deadline for what follows the
   * beginning: whoever reads it bounds it, and destroys it if it is not read to its end. Problem: `container_lost`.
   */
  readArchive(id: ContainerId, path: string, signal?: AbortSignal): Promise<Readable | null>;
}

export type ContainerId = string;

export type ContainerSpec = {
  name: string;
  /** Id or reference of an image that is present. */
  image: string;
  labels: Labels;
  /** Final: nothing of the image's own entrypoint and command is added. Together never empty. */
  entrypoint: string[];
  command: string[];
  /** Added to the image's environment, and stronger. */
  env: Record<string, string>;
  workdir: string;
  /** `uid:gid`; empty: the image's own. */
  user: string;
  hostname: string;
  /** Whether the program gets a stdin to read; else it reads an end at once. */
  stdin: boolean;
  /**
   * `none`, or the name of a network. With none there is the loopback and no more: no network of the engine's, and neither
   * a hosts file nor resolvers but what `files` brings.
   */
  network: string;
  /** Resolvers; empty: the engine's own choice. */
  dns: string[];
  readOnlyRoot: boolean;
  /** What it may write to its root, as far as the engine can hold it to that (`diskQuotas`); `null`: as much as there is. */
  rootBytes: number | null;
  tmpfs: Tmpfs[];
  volumes: VolumeMount[];
  files: FileMount[];
  /** Swap included: there is none beyond it. */
  memoryBytes: number;
  pids: number;
  cpus: number;
  shmBytes: number;
  rlimits: Rlimit[];
  /** Added to none at all. */
  capabilities: string[];
  /** A seccomp profile as JSON text. */
  seccompProfile: string;
  /** An OCI runtime of the engine; `null`: its default. */
  runtime: string | null;
  /** 0 to 1000: how much sooner than the system's own processes the kernel should pick this one. */
  oomScoreAdj: number;
  /** Of containers that are kept alive; a sandbox has neither ports nor a log. */
  service?: ServiceParts;
};

export type Tmpfs = { path: string; sizeBytes: number; inodes: number; uid: number; gid: number };

/** `name` as in setrlimit without its prefix: `nofile`, `core`, `cpu`, `fsize`. Units are the kernel's. */
export type Rlimit = { name: string; soft: number; hard: number };

/**
 * A named volume at a path of the container. `copy`: one that is still empty is filled with what the image has at that
 * path, modes and owners included.
 */
export type VolumeMount = { name: string; path: string; readOnly: boolean; copy?: boolean };

/** A file of the engine's machine, read-only at a path of the container; `start_failed` at the create when it is not there. */
export type FileMount = { source: string; path: string };

export type UpdatableLimits = Pick<ContainerSpec, 'memoryBytes' | 'pids' | 'cpus'>;

export type ServiceParts = {
  /** TCP ports of the container on addresses of the engine's machine; `hostPort` 0: any that is free. */
  publish: PortBinding[];
  /** What it writes is kept in so many files of this size, the oldest first out. */
  log: { maxBytes: number; files: number };
};

export type PortBinding = { containerPort: number; hostAddress: string; hostPort: number };

export type ContainerState = {
  id: ContainerId;
  name: string;
  status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
  running: boolean;
  exitCode: number;
  /** Whether the kernel killed any process of it for its memory limit. */
  oomKilled: boolean;
  /** The engine's word on why it did not start; else empty. */
  error: string;
  labels: Labels;
  image: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** Where it has an IPv4 address now: nowhere, when it does not run. */
  networks: { name: string; address: string }[];
  /** Its TCP ports as they are published now. */
  ports: PortBinding[];
};

export type ContainerSummary = {
  id: ContainerId;
  name: string;
  status: ContainerState['status'];
  labels: Labels;
  image: string;
  createdAt: string;
};

export type DiskPlaces = {
  /** As the engine's machine numbers it; 0 when it does not run. */
  pid: number;
  /** The folder that takes what is written to the root; `null` where the engine does not tell. */
  root: string | null;
  /** What the engine itself holds that to; `null`: to nothing. */
  rootQuota: number | null;
  /** Files of the engine's own that the container may write to, each at a path of it. */
  files: { source: string; path: string }[];
  /** Volumes that it may write to, named ones or not. */
  volumes: { folder: string; path: string; quota: number | null }[];
};

export type LogOptions = {
  /** How many of the last lines to begin with. */
  tail: number | 'all';
  follow: boolean;
  /** RFC 3339, up to nanoseconds: nothing that was written before. */
  since?: string;
  /** Also ends the stream, with its reason. */
  signal?: AbortSignal;
};

/**
 * One line with its newline. One of more than 64 KiB comes in several, of which only the last has it; so does what the
 * program had written of a line when the log ended.
 */
export type LogLine = {
  stream: 'stdout' | 'stderr';
  data: Buffer;
  /** RFC 3339 with nanoseconds: when its beginning was written. */
  at: string;
};

export type ExecId = string;

export type ExecSpec = {
  /** Never empty. */
  argv: string[];
  /** A name or `uid:gid`; empty: the container's. */
  user: string;
  /** Empty: the container's. */
  workdir: string;
  /** Added to the container's, and stronger. */
  env: Record<string, string>;
};

/**
 * As of a container's own program; `stdin` is never `null`. Both directions share a connection here: a program that ends
 * without having read its stdin may lose the last of its output to what was still on its way in.
 */
export type ExecAttachment = Attachment;

export type ExecState = {
  running: boolean;
  /** `null` while it runs. */
  exitCode: number | null;
  /** As the engine's machine numbers it. */
  pid: number;
};
