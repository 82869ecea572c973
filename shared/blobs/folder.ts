import { randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { chmod, lstat, mkdir, open, opendir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { type BlobStore, checkKey, chunksOf, measured } from './blob-store.ts';

/** Drafts lie in a folder beside everything else. No key can have the name of this folder. */
const draftsFolder = '.drafts';
/** A draft that nobody has written to for this long is abandoned: its process was killed. */
const draftMs = 24 * 3_600_000;

/**
 * Gateway and worker may be two users of one group (docker-compose.yml). The gateway reads the worker's files. It also removes
 * them, and for that it must be able to write to the folders. Every folder inherits the group from the store's own folder
 * (setgid); other users have no access. If the store's own folder does not exist yet, it is made for its owner alone, and then
 * no other user can reach the blobs.
 */
const modes = { top: 0o700, folder: 0o2770, file: 0o640 };

/**
 * Stores blobs as files below one folder that only Runlet uses. Keys hold no `..` and no part that begins with a dot. A file is
 * never opened through a link. A file gets its final name only when all of it is on the disk.
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
      // Once in each process is enough: a killed process is followed by a new one.
      if (!swept) await removeOld(drafts);
      swept = true;
      const { chunks, result } = measured(chunksOf(source));
      try {
        const file = await open(draft, 'wx', modes.file);
        try {
          await file.chmod(modes.file);
          for await (const chunk of chunks) await file.writeFile(chunk);
          // A run that is reported as finished must keep its artifacts, even if the machine fails right after that.
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

    async get(key, range): Promise<Readable | undefined> {
      const file = await open(pathOf(key), constants.O_RDONLY | constants.O_NOFOLLOW).catch(absent);
      if (file === undefined) return undefined;
      if (!(await file.stat()).isFile()) {
        await file.close();
        return undefined;
      }
      return createReadStream('', { fd: file, ...(range && { start: range.from, end: range.to }) });
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
    // Another process that shares the folder may have removed or placed it in the meantime.
    const found = await lstat(path).catch(absent);
    // If a draft cannot be removed (it may belong to another user), the run must still get its artifacts. A later process tries
    // again.
    if (found !== undefined && found.mtimeMs < Date.now() - draftMs) await rm(path).catch(() => {});
  }
}

/** Moves the draft to its place. Tries again if the folder was removed in the meantime (the run was forgotten, or swept). */
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
 * Makes the folders from `top` down to `path`. The mode is set each time: the umask removed bits from it when the folder was
 * made, and the process that made the folder may have been killed before it set the mode.
 */
async function makeFolders(top: string, path: string): Promise<void> {
  let at = top;
  for (const name of relative(top, path).split(sep)) {
    at = join(at, name);
    await mkdir(at).catch(unlessCode('EEXIST'));
    // EPERM: the folder belongs to another user of the group, who has set the mode.
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
