import { randomBytes } from 'node:crypto';
import { createWriteStream, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../errors.ts';

/** Writes a file. It gets its final name only when it is complete. Until then the old file stays. */
export async function saveFile(body: Readable, path: string): Promise<void> {
  const there = statSync(path, { throwIfNoEntry: false });
  // A device or a pipe cannot be replaced by a file, so it is written to directly.
  if (there !== undefined && !there.isFile()) return pipeline(body, writeTo(path));
  const target = there === undefined ? path : realpathSync(path);
  const draft = join(dirname(target), `.runlet-${randomBytes(6).toString('hex')}`);
  try {
    await pipeline(body, writeTo(draft, there?.mode));
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES')
      throw new UsageError(`${path} cannot be written: ${message.replace(draft, path)}`);
    throw error;
  }
}

const writeTo = (path: string, mode?: number) =>
  createWriteStream(path, mode === undefined ? {} : { mode: mode & 0o777 });
