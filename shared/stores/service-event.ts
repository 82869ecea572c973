import type { Service } from '../contracts/service.ts';
import type { EventType } from '../contracts/webhook.ts';
import type { ServiceStatus } from '../service-states.ts';
import type { ServiceEvent } from './services.ts';

/**
 * If the files together have more bytes than this, the event leaves out their contents: receivers expect kilobytes, not
 * megabytes.
 */
const maxFileBytes = 16 * 1024;

/** The event for a service that has reached this status; `undefined` for a start, which has no event. */
export function serviceEvent(status: ServiceStatus, service: Service): ServiceEvent | undefined {
  if (status === 'starting') return undefined;
  const type: EventType = `service.${status}`;
  return { type, body: JSON.stringify({ type, timestamp: new Date().toISOString(), data: slim(service) }) };
}

function slim(service: Service): Service {
  const files = (service.request.files ?? []) as { content: string }[];
  if (files.reduce((sum, { content }) => sum + content.length, 0) <= maxFileBytes) return service;
  const emptied = files.map((file) => ({ ...file, content: '' }));
  return { ...service, request: { ...service.request, files: emptied } };
}
