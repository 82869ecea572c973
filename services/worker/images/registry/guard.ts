import { defaultRegistry, type ImageReference, parseImageReference } from '../../../../shared/images.ts';
import { addressPolicy, plainHost } from '../../../../shared/net/address.ts';
import type { LookUp } from '../../../../shared/net/look-up.ts';
import { Problem } from '../../../../shared/problems.ts';
import { type RegistryPolicy, registryAddressFault } from '../../../../shared/registries/policy.ts';
import type { EngineInfo, EngineRegistries } from '../../engine/engine.ts';
import type { RegistryCredentials } from '../../engine/images.ts';
import { allowedRegistries } from './allowed.ts';
import { createCaller } from './caller.ts';
import { Forbidden, placesFor, portOf, Unreachable, type Way } from './places.ts';
import { walkImage } from './walk.ts';

/** The longest that all questions before one pull take together. A registry's token server was seen to take seconds. */
const checkMs = 20_000;

export type RegistryGuard = ReturnType<typeof createRegistryGuard>;

/**
 * Asks a registry before the engine does, and checks where its answers would lead the engine: the addresses of its name, the realm of its
 * challenge, redirects and the URLs in a manifest must all be allowed by the operator's policy. The public registry is not asked: no user
 * can choose its answers by an image's name, and the engine's mirrors for it are its operator's.
 *
 * The registry may still answer the engine differently: see infra/docs/SECURITY.md, "Images and registries".
 */
export function createRegistryGuard(options: {
  env: { RUNLET_REGISTRY_ALLOW: string[]; RUNLET_REGISTRIES: string[] };
  engine: () => Pick<EngineInfo, 'registries' | 'os' | 'architecture'>;
  lookUp: LookUp;
}) {
  const allowed = allowedRegistries(options.env);
  return {
    /** The registries that a pull may lead to beside public addresses, with an engine that is set up so. */
    entries: (registries: EngineRegistries): string[] => allowed(registries).entries,

    /** Throws a Problem `registry_not_allowed`, or `registry_unavailable` where it cannot be told. */
    async check(
      reference: string,
      credentials: RegistryCredentials | undefined,
      signal: AbortSignal,
    ): Promise<void> {
      const image = parseImageReference(reference);
      if (image === undefined || image.registry === defaultRegistry) return;
      const engine = options.engine();
      const { policy } = allowed(engine.registries);
      const fault = registryAddressFault(image.registry, policy);
      if (fault !== undefined) throw new Problem('registry_not_allowed', `The image ${fault}.`);
      const places = placesFor(policy, options.lookUp, engine.registries.proxy);
      const timeout = AbortSignal.timeout(checkMs);
      const caller = createCaller(places, AbortSignal.any([signal, timeout]));
      try {
        const way = await places(urlOf(image));
        // The engine's proxy wants a password, which engines do not tell: its operator decides whom it calls.
        if ('proxy' in way && URL.parse(way.proxy)?.username !== '') return;
        await walkImage({
          image,
          credentials,
          caller,
          places,
          schemes: isInsecure(image, way, engine.registries) ? ['https', 'http'] : ['https'],
          platform: engine,
        });
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Forbidden)
          throw new Problem(
            'registry_not_allowed',
            `The engine is not sent to ${image.registry}, which ${error.message}. Name an image of another registry.`,
          );
        const place = error instanceof Unreachable ? error.place : undefined;
        if (place === undefined && !timeout.aborted) throw error;
        // The operator allows this registry, and the engine may reach it although this worker does not.
        const isElsewhere = place !== undefined && place.hostname !== urlOf(image).hostname;
        if (!isElsewhere && isNamed(image, policy)) return;
        throw new Problem(
          'registry_unavailable',
          `The worker cannot reach ${place?.host ?? image.registry} to see where ${image.registry} would send the engine. Check the registry’s name, and the worker’s network and DNS; a registry that only the engine reaches is named in RUNLET_REGISTRY_ALLOW.`,
          { cause: error },
        );
      } finally {
        caller.close();
      }
    },
  };
}

const urlOf = (image: ImageReference, scheme = 'https') => new URL(`${scheme}://${image.registry}/`);

function isNamed(image: ImageReference, policy: RegistryPolicy): boolean {
  const url = urlOf(image);
  return policy.names(plainHost(url.hostname), portOf(url));
}

/** As engines decide it: the registry itself is named, or one of its addresses is in a named range. */
function isInsecure(image: ImageReference, way: Way, { insecure }: EngineRegistries): boolean {
  if (insecure.includes(image.registry)) return true;
  const ranges = addressPolicy(insecure.filter((entry) => entry.includes('/')));
  return 'addresses' in way && way.addresses.some(({ address }) => ranges.names('', address));
}
