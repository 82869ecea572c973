import type { Service } from '../contracts/service.ts';
import type { EventType } from '../contracts/webhook.ts';
import type { ServiceStatus } from '../service-states.ts';
import type { ServiceEvent } from './services.ts';

/** What is told of a service that has become this; `undefined` of a start, which is none of the events. */
export function serviceEvent(status: ServiceStatus, service: Service): ServiceEvent | undefined {
  if (status === 'starting') return undefined;
  const type: EventType = `service.${status}`;
  return { type, body: JSON.stringify({ type, timestamp: new Date().toISOString(), data: service }) };
}
