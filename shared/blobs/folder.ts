import { randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { chmod, lstat, mkdir, open, opendir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { type BlobStore, checkKey, chunksOf, measured } from './blob-store.ts';

/** Drafts lie beside everything else, under a name that no key can have. */
const draftsFolder = '.drafts';
/** Nobody writes any more to a draft that was not written to for so long: its process was killed. */
const draftMs = 24 * 3_600_000;

/**
 * Gateway and worker may be two users of one group (docker-compose.yml): the worker's files are read by the gateway, and
 * removed by it, for which it has to write to the folders. The group comes down from the store's own folder (setgid);
 * others get nothing. Where that folder is not there yet it is made for its owner alone, and then nobody else gets so far.
 */
const modes = { top: 0o700, folder: 0o2770, file: 0o640 };

/**
 * Blobs as files below one folder that is Runlet's alone. Keys hold no `..` and no part that begins with a dot, a file is
 * never opened through a link, and it stands under its name only when all of it is on the disk.
 */
export function folderBlobStore(folder: string): BlobStore {
  const pathOf = (key: string) => {
    checkKey(key);
    return join(folder, ...key.split('/'));
  };

  const drafts = join(folder, draftsFolder);
  let swept = false;

  return {
    async put(key, source) {
      const path = pathOf(key);
      const draft = join(drafts, randomBytes(12).toString('hex'));
      await mkdir(folder, { recursive: true, mode: modes.top });
      await makeFolders(folder, drafts);
      // Once for each process: a killed one has a successor.
      if (!swept) await removeOld(drafts);
      swept = true;
      const { chunks, result } = measured(chunksOf(source));
      try {
        const file = await open(draft, 'wx', modes.file);
        try {
          await file.chmod(modes.file);
          for await (const chunk of chunks) await file.writeFile(chunk);
          // A run that is told as finished keeps its artifacts, whatever happens to the machine next.
          await file.datasync();
        } finally {
          await file.close();
        }
        await place(folder, draft, path);
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
      return result();
    },

    async get(key): Promise<Readable | undefined> {
      const file = await open(pathOf(key), constants.O_RDONLY | constants.O_NOFOLLOW).catch(absent);
      if (file === undefined) return undefined;
      if (!(await file.stat()).isFile()) {
        await file.close();
        return undefined;
      }
      return createReadStream('', { fd: file });
    },

    async removeAll(prefix) {
      await rm(pathOf(prefix), { recursive: true, force: true });
    },

    async *list(prefix) {
      const entries = await opendir(prefix === '' ? folder : pathOf(prefix)).catch(absent);
      if (entries === undefined) return;
      for await (const { name } of entries) if (name !== draftsFolder) yield name;
    },
  };
}

async function removeOld(drafts: string): Promise<void> {
  for (const name of await readdir(drafts)) {
    const path = join(drafts, name);
    // Gone or placed in between by whoever else shares the folder.
    const found = await lstat(path).catch(absent);
    // What cannot be removed (another user's, for one) is no reason to keep a run from its artifacts: a later process tries again.
    if (found !== undefined && found.mtimeMs < Date.now() - draftMs) await rm(path).catch(() => {});
  }
}

/** Puts the draft in its place; again where the folder was removed in between (the run was forgotten, or swept). */
async function place(top: string, draft: string, path: string): Promise<void> {
  for (let triesLeft = 2; ; triesLeft -= 1) {
    try {
      await makeFolders(top, dirname(path));
      return await rename(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || triesLeft === 0) throw error;
    }
  }
}

/**
 * The folders from `top` down to `path`. The mode is set each time: the umask took from it when the folder was made, and
 * whoever made it may have been killed before it was set.
 */
async function makeFolders(top: string, path: string): Promise<void> {
  let at = top;
  for (const name of relative(top, path).split(sep)) {
    at = join(at, name);
    await mkdir(at).catch(unlessCode('EEXIST'));
    // Of another user of the group: it has set the mode.
    await chmod(at, modes.folder).catch(unlessCode('EPERM'));
  }
}

const unlessCode = (code: string) => (error: NodeJS.ErrnoException) => {
  if (error.code !== code) throw error;
};

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ELOOP') return undefined;
  throw error;
}
