import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';

// sun_path has 108 bytes with the final zero (unix(7)). Some programs append a suffix of their own.
const longestPath = 100;

/** The path itself if it is short enough for a unix socket, else a path in a private folder with a short name. */
export function shortSocketPath(path: string): string {
  if (Buffer.byteLength(path) <= longestPath) return path;
  return join(privateRuntimeFolder(path), basename(path));
}

/** A private folder with a short path, for the sockets and run-time state of `owner`. It is the same at every start. */
export function privateRuntimeFolder(owner: string): string {
  const base = userInfo().uid === 0 ? '/run' : (process.env.XDG_RUNTIME_DIR ?? tmpdir());
  const folder = join(base, `runlet-${createHash('sha256').update(owner).digest('hex').slice(0, 10)}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  return folder;
}
