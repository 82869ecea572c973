import { artifactKey, type BlobStore } from '../../shared/blobs/blob-store.ts';
import { parseGlobs } from '../../shared/globs.ts';
import { Problem } from '../../shared/problems.ts';
import type { RunState } from '../../shared/stores/run-record.ts';
import type { Holder } from '../../shared/stores/runs.ts';
import type { InitSession } from './sandbox/init/session.ts';

export type CollectArtifacts = (
  holder: Holder,
  session: InitSession,
  globs: string[],
  state: RunState,
) => Promise<void>;

/** A work folder with more files than this is not looked through further. */
const mostListed = 20_000;

/**
 * Keeps the files that the globs name, in order of their paths, until one of the bounds is reached; then the run's
 * `error` says so, whatever its status.
 */
export function artifactCollector(
  blobs: BlobStore,
  bounds: { count: number; bytes: number },
): CollectArtifacts {
  return async (holder, session, globs, state) => {
    const wanted = parseGlobs(globs);
    const { files, truncated } = await session.list(mostListed);
    const found = files
      .filter(({ path }) => wanted.test(path))
      .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    let left = bounds.bytes;
    let over = truncated;
    for (const { path, sizeBytes } of found) {
      if (state.artifacts.length >= bounds.count || sizeBytes > left) {
        over = true;
        break;
      }
      const key = artifactKey(holder.tenant, holder.runId, holder.attempt, state.artifacts.length);
      const kept = await blobs.put(key, session.read(path));
      left -= kept.sizeBytes;
      state.artifacts.push({ path, ...kept });
    }
    if (over)
      state.error = new Problem(
        'artifact_limit',
        `Not all artifacts were kept: at most ${bounds.count} files and ${bounds.bytes} bytes are, and ${mostListed} files looked at. Name fewer.`,
      ).toBody();
  };
}
