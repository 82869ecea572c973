import { type RunPolicy, runRequestSchema } from '../../../../shared/contracts/run-request.ts';
import { familiarName } from '../../../../shared/images.ts';
import { listLanguages } from '../../../../shared/languages/index.ts';
import type { Log } from '../../../../shared/log.ts';
import type { EngineInfo } from '../../engine/engine.ts';
import type { Images } from '../../engine/images.ts';
import { checkPlatform } from '../../images/platform.ts';
import type { Pin, Sandboxes } from '../sandboxes.ts';

/**
 * Keeps a sandbox ready for each language whose image is on the engine. Call the returned function at the start and
 * whenever the images have changed: it looks at them, and resolves when they have been looked at since the call. No
 * image is pulled for this: a node has only the languages that its users use.
 */
export function languageWarmer(options: {
  images: Pick<Images, 'inspect'>;
  info: Pick<EngineInfo, 'os' | 'architecture'>;
  sandboxes: Pick<Sandboxes, 'pinOnly'>;
  /** The gateway's policy. A sandbox with other limits than a run gets would never be taken. */
  policy: RunPolicy;
  log: Log;
}): () => Promise<void> {
  const { images, info, sandboxes, log } = options;
  const schema = runRequestSchema(options.policy);
  /** By language, the pins of the latest look. */
  let pins = new Map<string, Pin>();
  let underWay: Promise<void> | undefined;
  let following: Promise<void> | undefined;

  async function pinFor(name: string, reference: string): Promise<Pin | undefined> {
    const familiar = familiarName(reference);
    const image = await images.inspect(familiar);
    if (image === null || checkPlatform(image, info, familiar) !== null) return undefined;
    // The same as for a request that sets no limits.
    const shape = schema.safeParse({ language: name, code: ' ' });
    // The language's image is from a registry that runs may not use.
    if (!shape.success) return undefined;
    return { shape: shape.data, image, reference: familiar };
  }

  /** This takes a while. Until all languages have been looked at, the pool keeps what it has. */
  async function look(): Promise<void> {
    const found = new Map<string, Pin>();
    for (const { name, image: reference } of listLanguages()) {
      let pin = pins.get(name);
      try {
        pin = await pinFor(name, reference);
      } catch (error) {
        // The error says nothing about the image, so what is kept warm stays.
        const reason = (error as Error).message;
        log.warn({ language: name, keptWarm: pin !== undefined, reason }, 'language could not be looked at');
      }
      if (pin !== undefined) found.set(name, pin);
    }
    pins = found;
    sandboxes.pinOnly([...found.values()]);
  }

  return function warmLanguages(): Promise<void> {
    if (underWay === undefined) {
      underWay = look().finally(() => {
        underWay = undefined;
      });
      return underWay;
    }
    // The look under way may have missed the latest change. So there is one more after it, shared by all who ask until
    // then.
    following ??= underWay.then(() => {
      following = undefined;
      return warmLanguages();
    });
    return following;
  };
}
