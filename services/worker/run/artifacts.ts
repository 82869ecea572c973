import { artifactKey, type BlobStore } from '../../../shared/blobs/blob-store.ts';
import { parseGlobs } from '../../../shared/globs.ts';
import { Problem } from '../../../shared/problems.ts';
import type { Holder } from '../../../shared/stores/runs.ts';
import { type InitSession, StartFailed } from '../sandbox/init/session.ts';
import { pathAsText } from './path-as-text.ts';
import type { RunProgress } from './run-progress.ts';
import type { Stop } from './run-stop.ts';

export type CollectArtifacts = (
  holder: Holder,
  session: InitSession,
  globs: string[],
  progress: RunProgress,
  stop: Stop,
) => Promise<void>;

/** In a work folder with more files than this, only so many are looked at. */
const maxListed = 20_000;

/**
 * Keeps the files that the globs name, in order of their paths, until a bound is reached. The run's `error` says where a file is not
 * kept, whatever the run's status: for a bound, because the run's own user may not read it, or because its name is not UTF-8, so that no
 * JSON and no URL can hold it. A glob is matched against such a name with U+FFFD in place of its invalid bytes.
 *
 * It ends early when the run is cancelled, but not when the worker shuts down: the program has ended, and need not run again.
 */
export function artifactCollector(
  blobs: BlobStore,
  bounds: { count: number; bytes: number },
): CollectArtifacts {
  return async (holder, session, globs, progress, stop) => {
    const wanted = parseGlobs(globs);
    const { files, unnamed, truncated } = await session.list(maxListed);
    const found = files
      .filter(({ path }) => wanted.test(path))
      .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    let left = bounds.bytes;
    let count = 0;
    let over = truncated;
    const unreadable: string[] = [];
    const broken = brokenOff(stop);
    for (const { path, sizeBytes } of found) {
      if (count >= bounds.count || sizeBytes > left) {
        over = true;
        break;
      }
      const key = artifactKey(holder.tenant, holder.runId, holder.attempt, count);
      const source = readable(session, path);
      try {
        const kept = await Promise.race([blobs.put(key, source.bytes()), broken]);
        left -= kept.sizeBytes;
        count += 1;
        progress.artifactKept({ path, ...kept });
      } catch (error) {
        if (!source.failed()) throw error;
        unreadable.push(path);
      }
    }
    const why: string[] = [];
    if (over)
      why.push(
        `at most ${bounds.count} files and ${bounds.bytes} bytes are, and ${maxListed} files looked at, no more than 64 folders deep. Name fewer.`,
      );
    if (unreadable.length > 0) {
      const many = unreadable.length === 1 ? '' : `${unreadable.length} files, among them `;
      why.push(
        `${many}${pathAsText(Buffer.from(unreadable[0] ?? ''))} could not be read by the run’s user. Have the program leave them readable.`,
      );
    }
    const nameless = unnamed.filter(({ path }) => wanted.test(path)).map(({ bytes }) => pathAsText(bytes));
    if (nameless.length > 0) {
      const many = nameless.length === 1 ? '' : `${nameless.length} files, among them `;
      const has = nameless.length === 1 ? 'has a name that is' : 'have names that are';
      why.push(`${many}${nameless.sort()[0]} ${has} no UTF-8. Have the program name them in UTF-8.`);
    }
    if (why.length > 0)
      progress.failed(new Problem('artifact_limit', `Not all artifacts were kept: ${why.join(' And ')}`));
  };
}

/** A file's bytes. `failed` says whether it could not be read: a blob store may wrap the error. */
function readable(session: InitSession, path: string) {
  let failed = false;
  return {
    async *bytes(): AsyncGenerator<Buffer> {
      try {
        yield* session.read(path);
      } catch (error) {
        if (error instanceof StartFailed && error.what === 'get') failed = true;
        throw error;
      }
    },
    failed: () => failed,
  };
}

/** Rejects when the run is stopped, unless its worker shuts down. */
function brokenOff(stop: Stop): Promise<never> {
  const broken = new Promise<never>((_, reject) => {
    const look = () => {
      if (stop.cause() !== 'shutdown') reject(stop.signal.reason);
    };
    if (stop.signal.aborted) look();
    else stop.signal.addEventListener('abort', look, { once: true });
  });
  broken.catch(() => {});
  return broken;
}
