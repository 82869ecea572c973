import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Log } from '../../../../../shared/log.ts';
import { Problem } from '../../../../../shared/problems.ts';
import type { Engine } from '../../../engine/engine.ts';
import type { ImageInfo } from '../../../engine/images.ts';
import { pinLabelsFor, pinName } from '../../../labels.ts';
import { neverStarted } from '../../image/never-started.ts';
import { runFolders, workdirFor } from '../../program/folders.ts';
import type { RunUser } from '../../users/run-users.ts';
import type { Launcher } from './launcher.ts';
import type { Step } from './steps.ts';

/** The root file system of an image, for one sandbox. */
export type ImageRoot = {
  /** Mounted; all sandboxes of the image see it, and none can write to it. */
  path: string;
  /** Only sandboxes with these folders may have it: the runtime makes what it mounts on. */
  usualFolders: string[];
  /** For an overlay of one's own: options for `lowerdir`, and the folder that they are relative to. */
  lower: { options: string; folder: string };
  release(): void;
};

export type ImageRoots = ReturnType<typeof createImageRoots>;

/** As many images stay mounted while no sandbox uses them, and so long: another worker may be asked to remove the image. */
const maxUnused = 64;
const unusedMs = 600_000;
const tendMs = 10_000;

type Mounted = {
  image: ImageInfo;
  usualFolders: string[];
  users: number;
  unusedSince: number;
  path: string;
  lower: ImageRoot['lower'];
  /** The topmost layer's folder, which is gone when the image is. */
  top: string;
  topInode: bigint;
  pin: string;
};

/**
 * Images' files, from the engine's own layers (overlay2). Each image is mounted once, within the launcher's mounts; the runtime makes the
 * folders that it mounts on there, and sandboxes see it read-only.
 *
 * The engine must not remove the layers meanwhile: it would not know that they are in use. So for each mounted image there is a container that
 * is created and never started. Whoever removes the image through Runlet has it let go first (`drop`). If somebody removes both from the
 * engine all the same, that is seen when the next sandbox is made, or at the next look.
 */
export function createImageRoots(options: {
  engine: Engine;
  launcher: Launcher;
  /** Where they are mounted: an empty folder. */
  folder: string;
  worker: { worker: string; instance: string };
  newId(): string;
  /** A user that a sandbox may have. */
  exampleUser(): RunUser;
  seccompProfile: string;
  log: Log;
}) {
  const { engine, launcher, log } = options;
  const mounted = new Map<string, Promise<Mounted>>();
  const ready = new Map<string, Mounted>();
  /** Containers of pins that are being made or are there. */
  const pins = new Set<string>();
  const removals = new Set<Promise<void>>();
  let serial = 0;

  async function lowerOf(image: string): Promise<Pick<Mounted, 'lower' | 'top' | 'topInode'>> {
    const layers = await engine.images.layers(image);
    if (layers === null) throw gone(image);
    const [top = ''] = layers;
    const folder = dirname(dirname(top));
    // The kernel takes one page of options. The engine has a short name for each layer, for this purpose.
    const short = await Promise.all(
      layers.map(async (layer) => `l/${(await readFile(join(dirname(layer), 'link'), 'utf8')).trim()}`),
    );
    return {
      lower: { options: `lowerdir=${short.join(':')}`, folder },
      top,
      topInode: statSync(top, { bigint: true }).ino,
    };
  }

  const pinOf = (image: ImageInfo, pin: string) =>
    neverStarted(
      image,
      { name: pinName(pin), labels: pinLabelsFor({ pin, ...options.worker }) },
      options.exampleUser(),
      options.seccompProfile,
    );

  async function mount(id: string): Promise<Mounted> {
    const image = await engine.images.inspect(id);
    if (image === null) throw gone(id);
    const usualFolders = runFolders(image.volumes, workdirFor(undefined, image.workdir));
    const pin = options.newId();
    pins.add(pin);
    try {
      await engine.containers.create(pinOf(image, pin));
      const found = await lowerOf(id);
      serial += 1;
      const base = join(options.folder, String(serial));
      const path = join(base, 'root');
      const steps: Step[] = [
        ['folder', base, '700'],
        ...['root', 'upper', 'work'].map((name): Step => ['folder', join(base, name), '755']),
        ['overlay', path, found.lower.folder, overlayOptions(found.lower.options, base)],
      ];
      await launcher.carryOut(steps);
      return { image, usualFolders, users: 0, unusedSince: performance.now(), path, pin, ...found };
    } catch (error) {
      unpin(pin);
      throw error;
    }
  }

  function unpin(pin: string): void {
    const removal = engine.containers
      .remove(pinName(pin))
      .catch((error: Error) => log.warn({ pin, reason: error.message }, 'not removed'))
      .finally(() => {
        pins.delete(pin);
        removals.delete(removal);
      });
    removals.add(removal);
  }

  function unmount(one: Mounted): Promise<void> {
    const base = dirname(one.path);
    return launcher
      .carryOut([
        ['unmount', one.path],
        ['tree', base],
      ])
      .catch((error: Error) => log.warn({ image: one.image.id, reason: error.message }, 'not unmounted'));
  }

  /** From now on it is not used any more; sandboxes that have it keep it. */
  function forget(one: Mounted): Promise<void> {
    if (ready.get(one.image.id) === one) {
      ready.delete(one.image.id);
      mounted.delete(one.image.id);
    }
    return unmount(one);
  }

  const isThere = ({ top, topInode }: Mounted): boolean => {
    try {
      return statSync(top, { bigint: true }).ino === topInode;
    } catch {
      return false;
    }
  };

  function shed(): void {
    const now = performance.now();
    const unused = [...ready.values()].filter(({ users }) => users === 0);
    const tooMany = unused.length - maxUnused;
    for (const [index, one] of unused.entries())
      if (index < tooMany || now - one.unusedSince > unusedMs) {
        void forget(one);
        unpin(one.pin);
      }
  }

  /** Makes pins again that somebody has removed (`docker container prune`), and lets go of what is not used. */
  async function tend(): Promise<void> {
    shed();
    for (const one of [...ready.values()]) {
      if ((await engine.containers.inspect(pinName(one.pin))) !== null) continue;
      if (ready.get(one.image.id) !== one) continue;
      await engine.containers.create(pinOf(one.image, one.pin)).catch((error: Error) => {
        log.warn({ image: one.image.id, reason: error.message }, 'an image that is in use cannot be held');
        if (!isThere(one)) void forget(one);
      });
    }
  }
  const timer = setInterval(() => {
    // While the engine is away nothing is removed from it.
    tend().catch(() => {});
  }, tendMs);
  timer.unref();

  async function provide(image: string): Promise<Mounted> {
    const known = ready.get(image);
    if (known !== undefined) {
      if (isThere(known)) return known;
      log.warn({ image }, 'an image’s layers are gone or are others: it is mounted anew');
      void forget(known);
      unpin(known.pin);
    }
    let mounting = mounted.get(image);
    if (mounting === undefined) {
      mounting = mount(image).then((one) => {
        ready.set(image, one);
        return one;
      });
      mounted.set(image, mounting);
      mounting.catch(() => mounted.delete(image));
    }
    return mounting;
  }

  return {
    /** Problems: `image_not_present`, and those of the engine’s `create`. */
    async use(image: string): Promise<ImageRoot> {
      const one = await provide(image);
      one.users += 1;
      // The latest used is the last to go.
      if (ready.get(image) === one) {
        ready.delete(image);
        ready.set(image, one);
      }
      let released = false;
      return {
        path: one.path,
        usualFolders: one.usualFolders,
        lower: one.lower,
        release() {
          if (released) return;
          released = true;
          one.users -= 1;
          if (one.users > 0) return;
          one.unusedSince = performance.now();
          shed();
        },
      };
    },

    /** Lets an image go that is to be removed from the engine; not while a sandbox uses it: then the engine refuses its removal. */
    async drop(image: string): Promise<void> {
      const one = ready.get(image);
      if (one === undefined || one.users > 0) return;
      await forget(one);
      unpin(one.pin);
      await Promise.allSettled(removals);
    },

    /** After the launcher’s end: what was mounted is gone with it. */
    lost(): void {
      for (const { pin } of ready.values()) unpin(pin);
      ready.clear();
      mounted.clear();
    },

    holds: (pin: string) => pins.has(pin),

    async close(): Promise<void> {
      clearInterval(timer);
      for (const { pin } of ready.values()) unpin(pin);
      ready.clear();
      mounted.clear();
      await Promise.allSettled(removals);
    },
  };
}

const gone = (image: string) =>
  new Problem('image_not_present', `The image ${image} is not on the engine any more.`);

/** Writes go to `upper` and `work` of the same folder. */
export const overlayOptions = (lower: string, base: string) =>
  `${lower},upperdir=${join(base, 'upper')},workdir=${join(base, 'work')}`;
