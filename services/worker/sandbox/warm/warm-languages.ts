import { type RunPolicy, runRequestSchema } from '../../../../shared/contracts/run-request.ts';
import { familiarName } from '../../../../shared/images.ts';
import { listLanguages } from '../../../../shared/languages/index.ts';
import type { Log } from '../../../../shared/log.ts';
import type { EngineInfo } from '../../engine/engine.ts';
import type { Images } from '../../engine/images.ts';
import { checkPlatform } from '../../images/platform.ts';
import type { Pin, Sandboxes } from '../sandboxes.ts';

/**
 * Keeps a sandbox ready for each language whose image lies on the engine. The function that it answers looks at the images: to be
 * called at the start and whenever they changed; it resolves when they have been looked at since. No image is pulled for it: a
 * node has the languages that its users use.
 */
export function languageWarmer(options: {
  images: Pick<Images, 'inspect'>;
  info: Pick<EngineInfo, 'os' | 'architecture'>;
  sandboxes: Pick<Sandboxes, 'pinOnly'>;
  /** As the gateway has it: a sandbox with other limits than a run gets is never taken. */
  policy: RunPolicy;
  log: Log;
}): () => Promise<void> {
  const { images, info, sandboxes, log } = options;
  const schema = runRequestSchema(options.policy);
  /** By language, as they were pinned last. */
  let pins = new Map<string, Pin>();
  let underWay: Promise<void> | undefined;
  let following: Promise<void> | undefined;

  async function pinFor(name: string, reference: string): Promise<Pin | undefined> {
    const familiar = familiarName(reference);
    const image = await images.inspect(familiar);
    if (image === null || checkPlatform(image, info, familiar) !== null) return undefined;
    // As in a request that says nothing of limits.
    const shape = schema.safeParse({ language: name, code: ' ' });
    // Its image is from a registry that no run may use.
    if (!shape.success) return undefined;
    return { shape: shape.data, image, reference: familiar };
  }

  /** Takes a while: until all languages have been looked at, the pool keeps what it has. */
  async function look(): Promise<void> {
    const found = new Map<string, Pin>();
    for (const { name, image: reference } of listLanguages()) {
      let pin = pins.get(name);
      try {
        pin = await pinFor(name, reference);
      } catch (error) {
        // Which says nothing of the image: what is kept warm stays so.
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
    // What has just changed may have been looked at already: once more after that, for all who ask until then.
    following ??= underWay.then(() => {
      following = undefined;
      return warmLanguages();
    });
    return following;
  };
}
