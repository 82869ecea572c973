import type { ServiceRecord } from '../../../shared/stores/service-record.ts';

/**
 * The address of the container's port from here: the container's own, if this program is in the worker's network; else the port that the
 * worker's machine has published.
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
