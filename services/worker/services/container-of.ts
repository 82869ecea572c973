import { Problem } from '../../../shared/problems.ts';
import type { ContainerState, Containers } from '../engine/containers.ts';
import { serviceName } from '../labels.ts';

/** The container of a service, running or not. Throws a Problem `conflict` where there is none. */
export async function containerOf(containers: Containers, service: string): Promise<ContainerState> {
  const found = await containers.inspect(serviceName(service));
  if (found === null)
    throw new Problem('conflict', 'The service has no container at present: start it, then try again.');
  return found;
}
