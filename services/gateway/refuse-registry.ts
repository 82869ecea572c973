import { defaultRegistry, parseImageReference } from '../../shared/images.ts';
import { badField } from '../../shared/problems.ts';
import {
  operatorEntries,
  registryAddressFault,
  registryPolicy,
  validEntries,
} from '../../shared/registries/policy.ts';
import type { Gateway } from './gateway.ts';

export type RefuseRegistryParts = Pick<Gateway, 'env' | 'workers'>;

/**
 * Throws if no worker calls the image's registry, as far as its name tells. Names that look public are not looked up here:
 * a worker does that. For a literal address the workers are asked, whose engines may be set up for it.
 */
export async function refuseRegistry(
  gateway: RefuseRegistryParts,
  request: { image?: string | undefined; pull?: string },
): Promise<void> {
  // An image that is never pulled needs no registry.
  if (request.image === undefined || request.pull === 'never') return;
  const registry = parseImageReference(request.image)?.registry;
  const fault = registry === undefined ? undefined : await faultOf(gateway, registry);
  if (fault !== undefined)
    throw badField(
      'image',
      `${fault}. ${request.pull === undefined ? '' : 'One that is on the worker is run with pull "never".'}`.trim(),
    );
}

/** Throws where no worker would call this registry. */
export async function refuseHost(gateway: RefuseRegistryParts, host: string): Promise<void> {
  const fault = await faultOf(gateway, host);
  if (fault !== undefined) throw badField('host', fault);
}

async function faultOf(gateway: RefuseRegistryParts, registry: string): Promise<string | undefined> {
  // The common case, which costs no more than a look at the image's name.
  if (registry === defaultRegistry) return undefined;
  const own = operatorEntries(gateway.env);
  const fault = registryAddressFault(registry, registryPolicy(own));
  if (fault === undefined) return undefined;
  const theirs = validEntries(await gateway.workers.registries());
  return registryAddressFault(registry, registryPolicy([...own, ...theirs]));
}
