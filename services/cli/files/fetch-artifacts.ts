import type { Run } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { formatBytes } from '../output/format.ts';
import { printable } from '../output/harmless.ts';
import { downloadArtifacts } from './download.ts';

/** Fetches a run's artifacts, and says where they are. */
export async function fetchArtifacts(
  context: Context,
  run: Pick<Run, 'id' | 'artifacts'>,
  folder: string,
): Promise<void> {
  const written = await downloadArtifacts(context.api, run, folder);
  for (const [index, path] of written.entries())
    context.note(`${printable(path)} (${formatBytes(run.artifacts[index]?.sizeBytes ?? 0)})`);
  if (written.length === 0) context.note('Nothing was kept: no file matched.');
}
