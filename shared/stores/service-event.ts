import type { Service } from '../contracts/service.ts';
import type { EventType } from '../contracts/webhook.ts';
import type { ServiceStatus } from '../service-states.ts';
import type { ServiceEvent } from './services.ts';

/** Files together with more than this are told of without their contents: receivers take kilobytes, not megabytes. */
const maxFileBytes = 16 * 1024;

/** What is told of a service that has become this; `undefined` of a start, which is none of the events. */
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
