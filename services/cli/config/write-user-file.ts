import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Changes these values in the user's file and keeps the others. The file is never half written and never readable by
 * other users.
 */
export function writeUserFile(path: string, values: { url: string; apiKey: string }): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = target(path);
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    const text = JSON.stringify({ ...present(file), ...values }, null, 2);
    writeFileSync(draft, `${text}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** If the file is a link to another place, the file at that place is written. */
function target(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function present(file: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}
