import type { ServiceRecord } from '../../../shared/stores/service-record.ts';

/**
 * Where the container's port is reached from here: itself, from the network that its worker is in; elsewhere where the worker's
 * machine has published it.
 *
 * @param here networkNamespace() of this program
 */
export function addressOf(
  { head, state: { place } }: ServiceRecord,
  here: string,
): { host: string; port: number } | undefined {
  const { port } = head.request;
  if (place === null || port === undefined) return undefined;
  if (place.netns !== '' && place.netns === here) return { host: place.address, port };
  const published = place.ports[port];
  return published === undefined ? undefined : { host: place.host, port: published };
}
