import { addAbortSignal } from 'node:stream';
import { LRUCache } from 'lru-cache';
import type { Log } from '../../../../shared/log.ts';
import { Problem } from '../../../../shared/problems.ts';
import type { Engine } from '../../engine/engine.ts';
import type { ImageInfo } from '../../engine/images.ts';
import { lookLabelsFor, lookName } from '../../labels.ts';
import { homeFor, imageFolders, isInside, workFolder } from '../program/folders.ts';
import type { SandboxFile } from '../spec.ts';
import { usualUser } from '../users/accounts.ts';
import type { RunUser } from '../users/run-users.ts';
import { type UserFiles, userFilesOf } from '../users/user-files.ts';
import { readAccounts } from './image-accounts.ts';
import { type ImageContent, readContent } from './image-content.ts';
import { neverStarted } from './never-started.ts';
import { createSpool } from './spool.ts';

/** What was found in an image and is needed for each of its sandboxes. */
export type ImageLook = {
  /** The name of the run's user there. */
  userName: string;
  /** The files that replace the image's own in a sandbox with this user. */
  filesFor(user: RunUser): SandboxFile[];
  /** `null`: the image has nothing in the folders that a run replaces with its own. */
  content: ImageContent | null;
};

/** The most images that are remembered, and the most bytes of their content on this worker's disk. */
const maxKnown = 512;
const maxSpooledBytes = 4 * 1024 ** 3;
/** The time limit for one image of any size. A run that waits for it can be cancelled. */
const lookMs = 300_000;

const spoolGraceMs = 120_000;

/** The files that the engine itself mounts over an image's files. */
const engines = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/.runlet'];

export type ImageLooks = ReturnType<typeof createImageLooks>;

/**
 * Looks into images, once each. A container of the image is made, never started, read by the engine's archive download,
 * and removed. (The engine's upload is not used: CVE-2026-41567.) The result is remembered as long as the worker lives.
 */
export function createImageLooks(options: {
  engine: Engine;
  seccompProfile: string;
  /** A user that a sandbox may have. */
  exampleUser(): RunUser;
  worker: { worker: string; instance: string };
  newId(): string;
  /** The folder for the content of images. */
  folder: string;
  log: Log;
}) {
  const { engine, log } = options;
  const known = new LRUCache<string, ImageLook>({
    max: maxKnown,
    maxSize: maxSpooledBytes,
    // The size is capped, so that a single image is always remembered, however much it holds.
    sizeCalculation: ({ content }) => Math.min(Math.max(1, content?.frames.bytes() ?? 0), maxSpooledBytes),
    dispose: ({ content }) => {
      // The content is kept a while longer: a sandbox that is being made may be about to read it.
      if (content !== null) setTimeout(() => void content.frames.close(), spoolGraceMs).unref();
    },
  });
  const underWay = new Map<string, Promise<ImageLook>>();
  /** Containers of looks that are under way. */
  const held = new Set<string>();
  const removals = new Set<Promise<void>>();
  const stopping = new AbortController();

  /** Makes a container that is never started, and keeps it as long as `use` takes. */
  async function withContainer<T>(image: ImageInfo, use: (id: string) => Promise<T>): Promise<T> {
    const look = options.newId();
    const identity = { name: lookName(look), labels: lookLabelsFor({ look, ...options.worker }) };
    const spec = neverStarted(image, identity, options.exampleUser(), options.seccompProfile);
    held.add(look);
    try {
      return await use(await engine.containers.create(spec));
    } finally {
      // Nobody waits for the removal.
      const removal = engine.containers
        .remove(identity.name)
        .catch((error: Error) => log.warn({ look, reason: error.message }, 'not removed'))
        .finally(() => {
          held.delete(look);
          removals.delete(removal);
        });
      removals.add(removal);
    }
  }

  async function userFilesIn(image: ImageInfo, read: Parameters<typeof readAccounts>[0]): Promise<UserFiles> {
    const accounts = await readAccounts(read);
    const home = homeFor(
      {},
      image.env,
      imageFolders(image.volumes).map((path) => ({ path })),
    );
    return userFilesOf(accounts, home, options.exampleUser());
  }

  /** Without a user name a run still works, but not without its image's files. */
  function nameless(image: ImageInfo) {
    return (error: Error) => {
      if (error instanceof Problem && error.code !== 'internal') throw error;
      log.warn({ image: image.id, reason: error.message }, 'an image’s runs have no name');
    };
  }

  async function lookInto(image: ImageInfo): Promise<ImageLook> {
    const timeout = AbortSignal.timeout(lookMs);
    const signal = AbortSignal.any([timeout, stopping.signal]);
    return withContainer(image, async (id) => {
      const read = async (path: string) => {
        const tar = await engine.containers.readArchive(id, path, signal);
        return tar && addAbortSignal(signal, tar);
      };
      const userFiles = await userFilesIn(image, read).catch(nameless(image));
      const folders = imageFolders(image.volumes);
      let leftOut = 0;
      const content = await readContent({
        read,
        roots: rootsOf(image, folders),
        folders,
        covered: new Set([...engines, ...(userFiles?.covered ?? [])]),
        openSpool: () => createSpool(options.folder),
        onLeftOut: () => {
          leftOut += 1;
        },
      }).catch((error: Error) => {
        if (!timeout.aborted) throw error;
        throw new Problem(
          'start_failed',
          `The image’s files could not be read within ${lookMs} ms: try again.`,
        );
      });
      if (leftOut > 0) log.warn({ image: image.id, leftOut }, 'some of an image’s files cannot be in a run');
      return {
        userName: userFiles?.userName ?? usualUser,
        filesFor: (user) => userFiles?.filesFor(user) ?? [],
        content,
      };
    });
  }

  return {
    /** The earlier result. `undefined`: the image was not looked into yet, or too long ago. */
    known: (id: string): ImageLook | undefined => known.get(id),

    /**
     * Looks into an image, or waits for the look that is under way. Rejects with the signal's reason when it aborts;
     * the look itself goes on. Problems: the same as of the engine's `create`.
     */
    async look(image: ImageInfo, signal?: AbortSignal): Promise<ImageLook> {
      const before = known.get(image.id);
      if (before !== undefined) return before;
      signal?.throwIfAborted();
      let look = underWay.get(image.id);
      if (look === undefined) {
        look = lookInto(image).then((found) => {
          known.set(image.id, found);
          return found;
        });
        const over = () => underWay.delete(image.id);
        look.then(over, over);
        underWay.set(image.id, look);
      }
      const left = Promise.withResolvers<never>();
      const leave = () => left.reject(signal?.reason);
      signal?.addEventListener('abort', leave, { once: true });
      try {
        return await Promise.race([look, left.promise]);
      } finally {
        signal?.removeEventListener('abort', leave);
      }
    },

    holds: (look: string) => held.has(look),

    /** Ends what is under way. Resolves when no container of a look is left. */
    async stop(): Promise<void> {
      stopping.abort(new Error('the worker stops'));
      await Promise.allSettled(underWay.values());
      await Promise.allSettled(removals);
    },
  };
}

/**
 * The folders where an image may have files that its runs need: its VOLUMEs, /work, and /tmp if its config mentions it.
 * (To look into /tmp as well takes the engine half as long again, and what else is there was only left over by a
 * build.)
 */
function rootsOf(image: ImageInfo, folders: string[]): string[] {
  const { entrypoint, cmd, env, workdir, volumes } = image;
  const speaksOfTmp = [...entrypoint, ...cmd, ...env, `${workdir}/`].some((text) => text.includes('/tmp/'));
  const declared = imageFolders(volumes, []);
  const roots = folders.filter((path) => path === workFolder || declared.includes(path) || speaksOfTmp);
  return roots.filter((path) => !roots.some((other) => isInside(other, path)));
}
