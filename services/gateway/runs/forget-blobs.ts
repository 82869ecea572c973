import { runBlobs } from '../../../shared/blobs/blob-store.ts';
import { type RunHead, requestInHead } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';

export type ForgetBlobsParts = Pick<Gateway, 'blobs' | 'log'>;

/** Removes the artifacts of a run that was forgotten. If that fails, the janitor removes them later; nobody can reach them. */
export async function forgetBlobs(gateway: ForgetBlobsParts, head: RunHead): Promise<void> {
  const asked = head.told?.artifacts ?? requestInHead(head)?.artifacts.length !== 0;
  if (!asked) return;
  try {
    await gateway.blobs.removeAll(runBlobs(head.tenant, head.id));
  } catch (error) {
    gateway.log.warn({ run: head.id, reason: (error as Error).message }, 'artifacts were not removed');
  }
}
