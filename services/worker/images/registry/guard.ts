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

/** All questions before one pull together. A registry's token server has been seen to take seconds. */
const checkMs = 20_000;

export type RegistryGuard = ReturnType<typeof createRegistryGuard>;

/**
 * Asks a registry before the engine does, and looks at where its answers would lead the engine: the addresses of its name, the realm of its
 * challenge, redirects, and the URLs in a manifest are all held to the operator's policy. It is not told of images of the public
 * registry: nobody chooses that one's answers by an image's name, and the engine's mirrors for it are its operator's.
 *
 * It cannot know that the registry answers the engine likewise: see README, "Security model".
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
        // By a proxy that wants a password, which engines do not tell: whom it calls is for its operator to say.
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
        // The operator vouches for it: the engine may reach it where this worker does not, and says what is wrong where not.
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

/** As engines have it: the registry itself is named, or one of its addresses is in a range that is. */
function isInsecure(image: ImageReference, way: Way, { insecure }: EngineRegistries): boolean {
  if (insecure.includes(image.registry)) return true;
  const ranges = addressPolicy(insecure.filter((entry) => entry.includes('/')));
  return 'addresses' in way && way.addresses.some(({ address }) => ranges.names('', address));
}
