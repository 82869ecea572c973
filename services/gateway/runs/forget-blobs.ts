import { runBlobs } from '../../../shared/blobs/blob-store.ts';
import { type RunHead, requestInHead } from '../../../shared/stores/run-record.ts';
import type { Gateway } from '../gateway.ts';

export type ForgetBlobsParts = Pick<Gateway, 'blobs' | 'log'>;

/** With a run go its artifacts. What fails here is swept later: the run is forgotten, and nobody reaches them. */
export async function forgetBlobs(gateway: ForgetBlobsParts, head: RunHead): Promise<void> {
  const asked = head.told?.artifacts ?? requestInHead(head)?.artifacts.length !== 0;
  if (!asked) return;
  try {
    await gateway.blobs.removeAll(runBlobs(head.tenant, head.id));
  } catch (error) {
    gateway.log.warn({ run: head.id, reason: (error as Error).message }, 'artifacts were not removed');
  }
}
