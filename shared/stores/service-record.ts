import type { ProblemBody } from '../contracts/problem.ts';
import type { ServiceRequest } from '../contracts/service.ts';
import type { ServiceStatus, ServiceWanted } from '../service-states.ts';

/** What stands of a request in plain: what a service is placed, reached and kept alive by. The rest is sealed (service-parts.ts). */
export const plainServiceFields = [
  'name',
  'image',
  'workdir',
  'port',
  'tcpPorts',
  'health',
  'limits',
  'network',
  'isolation',
  'pull',
  'volumes',
  'keepAlive',
  'onIdle',
  'restart',
  'init',
  'public',
  'metadata',
] as const satisfies (keyof ServiceRequest)[];

export type PlainService = Pick<ServiceRequest, (typeof plainServiceFields)[number]>;

/** What never changes once a service is stored. */
export type ServiceHead = {
  id: string;
  tenant: string;
  name: string;
  createdAt: string;
  request: PlainService;
  /**
   * What must be known of the rest: whether files came with it, and which names of a locale its `env` has. Not there in a head of an
   * earlier version, in which `request` is whole, secrets masked.
   */
  told?: { files: boolean; locale: string[] };
};

/** Where a running service is reached. */
export type ServicePlace = {
  /**
   * The network namespace that the worker is in (boot id and inode): whoever is in the same one reaches the container's own
   * address, which means nothing, or somebody else's container, anywhere else.
   */
  netns: string;
  address: string;
  /** Where its ports are published for everybody else. */
  host: string;
  /** Host port by container port. */
  ports: Record<string, number>;
};

/** What a worker has found out; always whole. */
export type ServiceState = {
  error: ProblemBody | null;
  digest: string | null;
  restarts: number;
  exitCode: number | null;
  startedAt: string | null;
  readyAt: string | null;
  /** Null while it does not run. */
  place: ServicePlace | null;
};

export const emptyServiceState: ServiceState = {
  error: null,
  digest: null,
  restarts: 0,
  exitCode: null,
  startedAt: null,
  readyAt: null,
  place: null,
};

export type ServiceRecord = {
  head: ServiceHead;
  /** The whole request, secrets masked, where it was asked for and could be read. */
  request?: ServiceRequest;
  wanted: ServiceWanted;
  status: ServiceStatus;
  /** Counts assignments to workers. */
  generation: number;
  /** Counts how often a fresh start was asked for. */
  restart: number;
  /** Counts how often what runs was to be stopped and started. */
  bounce: number;
  worker: string | null;
  engine: string | null;
  state: ServiceState;
  lastUsedAt: number;
};

export const serviceFields = [
  'head',
  'wanted',
  'status',
  'generation',
  'restart',
  'bounce',
  'worker',
  'engine',
  'state',
  'lastUsedAt',
] as const;

export function parseService(fields: (string | null)[]): ServiceRecord | undefined {
  const [head, wanted, status, generation, restart, bounce, worker, engine, state, lastUsedAt] = fields;
  if (!head || !status) return undefined;
  return {
    head: JSON.parse(head) as ServiceHead,
    wanted: (wanted ?? 'running') as ServiceWanted,
    status: status as ServiceStatus,
    generation: Number(generation ?? 0),
    restart: Number(restart ?? 0),
    bounce: Number(bounce ?? 0),
    worker: worker ?? null,
    engine: engine ?? null,
    state: parseServiceState(state),
    lastUsedAt: Number(lastUsedAt ?? 0),
  };
}

export const parseServiceState = (text: string | null | undefined): ServiceState =>
  text ? (JSON.parse(text) as ServiceState) : emptyServiceState;
