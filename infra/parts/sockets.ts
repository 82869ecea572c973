import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';

// sun_path holds 108 bytes with its closing zero (unix(7)); some programs append a suffix of their own.
const longestPath = 100;

/** The path itself if a unix socket can have it, else one in a private folder whose path is short. */
export function shortSocketPath(path: string): string {
  if (Buffer.byteLength(path) <= longestPath) return path;
  return join(privateRuntimeFolder(path), basename(path));
}

/** A short folder of our own for sockets and run-time state that go with `owner`, the same at every start. */
export function privateRuntimeFolder(owner: string): string {
  const base = userInfo().uid === 0 ? '/run' : (process.env.XDG_RUNTIME_DIR ?? tmpdir());
  const folder = join(base, `runlet-${createHash('sha256').update(owner).digest('hex').slice(0, 10)}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  return folder;
}
