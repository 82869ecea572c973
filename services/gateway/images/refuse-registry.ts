import { defaultRegistry, parseImageReference } from '../../../shared/images.ts';
import { badField } from '../../../shared/problems.ts';
import {
  operatorEntries,
  registryAddressFault,
  registryPolicy,
  validEntries,
} from '../../../shared/registries/policy.ts';
import type { Gateway } from '../gateway.ts';

/**
 * Throws where the image's registry is a place that no worker calls, as far as its name says it. Asks nobody for names that look public;
 * a worker looks up where those lead. Of a literal address the workers are asked, whose engines may be set up for it.
 */
export async function refuseRegistry(
  gateway: Gateway,
  request: { image?: string | undefined; pull?: string },
): Promise<void> {
  // What is never pulled leads nowhere.
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
export async function refuseHost(gateway: Gateway, host: string): Promise<void> {
  const fault = await faultOf(gateway, host);
  if (fault !== undefined) throw badField('host', fault);
}

async function faultOf(gateway: Gateway, registry: string): Promise<string | undefined> {
  // The common case; no run's way is made longer by more than a look at its image's name.
  if (registry === defaultRegistry) return undefined;
  const own = operatorEntries(gateway.env);
  const fault = registryAddressFault(registry, registryPolicy(own));
  if (fault === undefined) return undefined;
  const theirs = validEntries(await gateway.workers.registries());
  return registryAddressFault(registry, registryPolicy([...own, ...theirs]));
}
