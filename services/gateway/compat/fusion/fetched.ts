import { buffer } from 'node:stream/consumers';
import { artifactKey } from '../../../../shared/blobs/blob-store.ts';
import type { Run } from '../../../../shared/contracts/run.ts';
import type { CompatParts } from '../protocol.ts';

/** What was taken from a run's work folder, in base64, by the names by which it was asked for. What is not there is left out. */
export async function fetched(
  gateway: Pick<CompatParts, 'blobs' | 'env'>,
  tenant: string,
  run: Run,
  fetch: Map<string, string>,
): Promise<{ files: Record<string, string>; message: string }> {
  const files: [string, string][] = [];
  const most = gateway.env.RUNLET_MAX_BODY_BYTES;
  let left = most;
  let message = '';
  // One after another, so that what is held is bounded.
  for (const [asked, path] of fetch) {
    const index = run.artifacts.findIndex((one) => one.path === path);
    const size = run.artifacts[index]?.sizeBytes;
    if (size === undefined) continue;
    if (size > left) {
      message ||= `${asked} is not in the answer, whose files may have ${most} bytes together.`;
      continue;
    }
    left -= size;
    const bytes = await gateway.blobs.get(artifactKey(tenant, run.id, run.attempt, index));
    if (bytes !== undefined) files.push([asked, (await buffer(bytes)).toString('base64')]);
  }
  return { files: Object.fromEntries(files), message };
}
