import type { ProblemBody } from '../contracts/problem.ts';
import type { ServiceRequest } from '../contracts/service.ts';
import type { ServiceStatus, ServiceWanted } from '../service-states.ts';

/** The plain part of a request: what is needed to place, reach and keep alive a service. The rest is sealed (service-parts.ts). */
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
   * What must be known of the sealed rest: whether the request has files, and which locale variables its `env` has. Absent in a
   * head of an earlier version: there `request` is the whole request, secrets masked.
   */
  told?: { files: boolean; locale: string[] };
};

/** Where a running service is reached. */
export type ServicePlace = {
  /**
   * The network namespace of the worker (boot id and inode). A program in the same namespace can reach the container's own
   * address. In any other namespace that address means nothing, or belongs to somebody else's container.
   */
  netns: string;
  address: string;
  /** The host where its ports are published, for all other programs. */
  host: string;
  /** From container port to host port. */
  ports: Record<string, number>;
};

/** What a worker has found out about the service. Always stored as a whole. */
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
  /** The whole request (secrets masked), if it was asked for and could be read. */
  request?: ServiceRequest;
  wanted: ServiceWanted;
  status: ServiceStatus;
  /** Counts assignments to workers. */
  generation: number;
  /** Counts how often a fresh start was asked for. */
  restart: number;
  /** Counts how often the running container was to be stopped and started again. */
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
