import { LRUCache } from 'lru-cache';
import type { PullLayer } from '../../../shared/contracts/events.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { imageIdIn, isImageId, parseImageReference } from '../../../shared/images.ts';
import { Problem } from '../../../shared/problems.ts';
import type { RegistryStore } from '../../../shared/stores/registries.ts';
import type { Engine, EngineInfo } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';
import { howToGet, withHowToBuild } from './built-images.ts';
import { checkPlatform } from './platform.ts';
import type { RegistryGuard } from './registry/guard.ts';

type Progress = (layers: PullLayer[]) => void;

/** What is known of an image is used for `knownMs`, and read again in the background once it is older than `freshMs`. */
const knownMs = 60_000;
const freshMs = 1_000;
const maxKnown = 512;

type Flight = {
  done: Promise<void>;
  waiters: Set<Progress>;
  abort: AbortController;
  latest: PullLayer[];
};

export type ImageProvider = ReturnType<typeof createImageProvider>;

/** Brings images to the engine: one pull for each image, however many runs wait for it. It ends early when none waits any more. */
export function createImageProvider(options: {
  engine: Engine;
  info: () => EngineInfo;
  registries: RegistryStore;
  /** Looks at where a registry would lead the engine, before it is asked. */
  guard: Pick<RegistryGuard, 'check'>;
  pullTimeoutMs: number;
  onPulled: () => void;
}) {
  const { engine } = options;
  const flights = new Map<string, Flight>();

  function start(reference: string, tenant: string): Flight {
    const abort = new AbortController();
    const waiters = new Set<Progress>();
    const flight: Flight = { done: Promise.resolve(), waiters, abort, latest: [] };
    const onProgress = (layers: PullLayer[]) => {
      flight.latest = layers;
      for (const waiter of waiters) waiter(layers);
    };
    flight.done = (async () => {
      const registry = parseImageReference(reference)?.registry ?? '';
      const credentials = await options.registries.find(tenant, registry);
      const timeout = AbortSignal.timeout(options.pullTimeoutMs);
      const signal = AbortSignal.any([abort.signal, timeout]);
      try {
        await options.guard.check(reference, credentials, signal);
        await engine.images.pull(reference, { ...(credentials && { credentials }), onProgress, signal });
        options.onPulled();
      } catch (error) {
        const late = new Problem(
          'pull_timeout',
          `${reference} was not pulled within ${options.pullTimeoutMs} ms: try again, or raise RUNLET_PULL_TIMEOUT_MS.`,
        );
        throw withHowToBuild(timeout.aborted ? late : error, reference);
      }
    })();
    return flight;
  }

  /** Pulls, or joins the pull that is under way for this tenant. Rejects with the signal's reason when it aborts. */
  async function pull(
    reference: string,
    tenant: string,
    onProgress: Progress,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    // Tenants have credentials of their own: they do not share a pull.
    const key = `${tenant} ${reference}`;
    let flight = flights.get(key);
    if (flight === undefined) {
      const started = start(reference, tenant);
      flight = started;
      flights.set(key, started);
      const over = () => {
        if (flights.get(key) === started) flights.delete(key);
      };
      started.done.then(over, over);
    }
    const joined = flight;
    joined.waiters.add(onProgress);
    if (joined.latest.length > 0) onProgress(joined.latest);
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([joined.done, left.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      joined.waiters.delete(onProgress);
      if (joined.waiters.size === 0) {
        if (flights.get(key) === joined) flights.delete(key);
        joined.abort.abort(new Error('nobody waits for this pull any more'));
      }
    }
  }

  /** Images as the engine last described them. */
  const known = new LRUCache<string, { image: ImageInfo; at: number }>({ max: maxKnown });
  const looking = new Set<string>();

  const look = async (reference: string) => {
    const image = await engine.images.inspect(reference);
    if (image === null) known.delete(reference);
    else known.set(reference, { image, at: Date.now() });
    return image;
  };

  function seenLately(reference: string): ImageInfo | undefined {
    const entry = known.get(reference);
    return entry !== undefined && Date.now() - entry.at <= freshMs ? entry.image : undefined;
  }

  return {
    pull,

    /**
     * The image as it was a moment ago, without asking the engine; `undefined` when it is not known. That is enough to look for a warm
     * sandbox. A change by others to the engine's images is noticed one run later.
     */
    recall(reference: string): ImageInfo | undefined {
      const entry = known.get(reference);
      if (entry === undefined || Date.now() - entry.at > knownMs) return undefined;
      if (Date.now() - entry.at > freshMs && !looking.has(reference)) {
        looking.add(reference);
        void look(reference)
          .catch(() => known.delete(reference))
          .finally(() => looking.delete(reference));
      }
      return entry.image;
    },

    /** Whether the engine has it; true, too, where the engine cannot say. */
    has: (reference: string): Promise<boolean> =>
      look(reference).then(
        (image) => image !== null,
        () => true,
      ),

    /** Images changed on the engine: all of them are read again. */
    forget: () => known.clear(),

    /**
     * The image, present on the engine and for its platform. `beforePull` is awaited when a pull is needed. With `lately` the engine is not
     * asked if it described the image a moment ago: each question cost a run under load a sixth of the worker's CPU time. Whoever says so
     * asks again if the image turns out to be gone.
     */
    async provide(
      reference: string,
      policy: RunRequest['pull'],
      tenant: string,
      hooks: {
        beforePull: () => Promise<void>;
        onProgress: Progress;
        signal: AbortSignal;
        lately?: boolean;
      },
    ): Promise<{ image: ImageInfo; pullMs: number | null }> {
      const seen = hooks.lately === true && policy === 'missing' ? seenLately(reference) : undefined;
      let image = policy === 'always' ? null : (seen ?? (await look(reference)));
      let pullMs: number | null = null;
      if (image === null) {
        if (isImageId(reference)) throw idNotPresent(reference, policy);
        if (policy === 'never')
          throw new Problem(
            'image_not_present',
            `${reference} is not on this worker and pull is "never". ${howToGet(reference)}`,
          );
        const began = performance.now();
        await hooks.beforePull();
        await pull(reference, tenant, hooks.onProgress, hooks.signal).catch((error) => {
          throw perhapsId(error, reference);
        });
        pullMs = performance.now() - began;
        image = await look(reference);
      }
      if (image === null)
        throw new Problem(
          'pull_failed',
          `${reference} was pulled, but the engine does not have it: try again.`,
        );
      const mismatch = checkPlatform(image, options.info(), reference);
      if (mismatch !== null) throw mismatch;
      return { image, pullMs };
    },
  };
}

const neverPulled = 'an image is never pulled by its id, which no registry knows. Name it by its reference';

/** Only an engine knows images by their ids, so an image that it lacks cannot be pulled. */
function idNotPresent(id: string, policy: RunRequest['pull']): Problem {
  return new Problem(
    policy === 'never' ? 'image_not_present' : 'image_not_found',
    `This worker has no image of the id ${id}, and ${neverPulled}, or see GET /v1/images for what is there.`,
  );
}

/** The beginning of an id may be a name as well, and was pulled as one: the user is told what holds if the id was meant. */
function perhapsId(error: unknown, reference: string): unknown {
  if (!(error instanceof Problem) || imageIdIn(reference) === undefined) return error;
  const { code, message, issues, cause } = error;
  const hint = `If ${reference} was meant as an id: this worker has no such image, and ${neverPulled}.`;
  const absent = code === 'registry_auth' || code === 'registry_unavailable';
  return new Problem(absent ? 'image_not_found' : code, `${message} ${hint}`, {
    ...(issues && { issues }),
    cause,
  });
}
