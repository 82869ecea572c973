import { randomBytes } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { mkdir, open, opendir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { type BlobStore, checkKey, chunksOf, measured } from './blob-store.ts';

/** Drafts lie beside everything else, under a name that no key can have. */
const draftsFolder = '.drafts';

/**
 * Blobs as files below one folder that is ours alone. Keys hold no `..` and no part that begins with a dot, a file is
 * never opened through a link, and it stands under its name only when all of it is on the disk.
 */
export function folderBlobStore(folder: string): BlobStore {
  const pathOf = (key: string) => {
    checkKey(key);
    return join(folder, ...key.split('/'));
  };

  return {
    async put(key, source) {
      const path = pathOf(key);
      const draft = join(folder, draftsFolder, randomBytes(12).toString('hex'));
      await mkdir(dirname(draft), { recursive: true, mode: 0o700 });
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const { chunks, result } = measured(chunksOf(source));
      try {
        const file = await open(draft, 'wx', 0o600);
        try {
          for await (const chunk of chunks) await file.writeFile(chunk);
          // A run that is told as finished keeps its artifacts, whatever happens to the machine next.
          await file.datasync();
        } finally {
          await file.close();
        }
        await place(draft, path);
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

/** Puts the draft in its place; again where the folder was removed in between (the run was forgotten, or swept). */
async function place(draft: string, path: string): Promise<void> {
  try {
    await rename(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(draft, path);
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'ELOOP') return undefined;
  throw error;
}
