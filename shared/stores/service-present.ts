import type { PullEvent } from '../contracts/events.ts';
import type { Service } from '../contracts/service.ts';
import type { ServiceRecord } from './service-record.ts';

/** Where services are reached from outside: the gateway's public URL, and the domain of their names. */
export type ServiceOrigin = { RUNLET_PUBLIC_URL: string; RUNLET_SERVICE_DOMAIN: string };

/** The service as every answer shows it. @param pull of its image, if one is under way and somebody asks */
export function presentService(
  record: ServiceRecord,
  origin: ServiceOrigin,
  pull: PullEvent | null = null,
): Service {
  const { head, state, status } = record;
  const { request } = head;
  const { place } = state;
  const { keepAlive } = request;
  const clockRuns = status === 'ready' && keepAlive !== 'forever';
  return {
    id: head.id,
    name: head.name,
    status,
    error: state.error,
    image: { reference: request.image, digest: state.digest },
    pull,
    url: request.port === undefined ? null : serviceUrl(head, origin),
    path: request.port === undefined ? null : `/s/${head.id}/`,
    tcpPorts:
      place === null
        ? []
        : request.tcpPorts.map((port) => ({ port, host: place.host, hostPort: place.ports[port] ?? 0 })),
    worker: record.worker,
    restarts: state.restarts,
    exitCode: state.exitCode,
    keepAlive,
    idleAt: clockRuns ? new Date(record.lastUsedAt + keepAlive).toISOString() : null,
    lastUsedAt: record.lastUsedAt === 0 ? null : new Date(record.lastUsedAt).toISOString(),
    createdAt: head.createdAt,
    startedAt: state.startedAt,
    readyAt: state.readyAt,
    metadata: request.metadata,
    request: record.request ?? request,
  };
}

/** `http://web.localhost:8080/`. For another tenant than the first one: `http://web.acme.localhost:8080/`. */
export function serviceUrl(
  { name, tenant }: { name: string; tenant: string },
  origin: ServiceOrigin,
): string {
  const url = new URL(origin.RUNLET_PUBLIC_URL);
  url.hostname = [name, ...(tenant === 'default' ? [] : [tenant]), origin.RUNLET_SERVICE_DOMAIN].join('.');
  url.pathname = '/';
  return url.href;
}
