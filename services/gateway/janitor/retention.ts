import type { Gateway } from '../gateway.ts';
import { isStoreError } from '../http/store-errors.ts';
import { type ForgetBlobsParts, forgetBlobs } from '../runs/forget-blobs.ts';

export type RetentionParts = Pick<Gateway, 'endedRuns' | 'env' | 'log' | 'room' | 'runs'> & ForgetBlobsParts;

/** One sweep forgets so many runs at most, in steps. */
const maxForgotten = 2_000;
const stepRuns = 50;

/** Forgets ended runs, oldest first, until age, number and bytes are within their bounds, and Redis has room. */
export async function enforceRetention(gateway: RetentionParts, now: number): Promise<void> {
  let forgotten = 0;
  while (forgotten < maxForgotten) {
    const ids = await excess(gateway, now);
    if (ids.length === 0) break;
    for (const id of ids) await forgetOrDrop(gateway, id);
    forgotten += ids.length;
  }
  if (forgotten > 0) gateway.log.info({ forgotten }, 'janitor forgot ended runs');
  await makeRoom(gateway);
}

/**
 * When Redis is short of memory, room for new runs matters more than old results: the oldest are forgotten before their time. Only while
 * that helps: something else may fill Redis.
 */
async function makeRoom(gateway: RetentionParts): Promise<void> {
  let before = await gateway.room.look();
  for (let forgotten = 0; forgotten < maxForgotten && gateway.room.isShort(); forgotten += stepRuns) {
    const ids = await gateway.endedRuns.oldest(stepRuns);
    for (const id of ids) await forgetOrDrop(gateway, id);
    const after = await gateway.room.look();
    if (ids.length > 0)
      gateway.log.warn(
        { forgotten: ids.length, ...after },
        'Redis is short of memory: ended runs were forgotten before their time; give it more, or keep less',
      );
    if (after.usedBytes >= before.usedBytes) return;
    before = after;
  }
}

async function excess(gateway: RetentionParts, now: number): Promise<string[]> {
  const { endedRuns, env } = gateway;
  const [old, count, bytes] = await Promise.all([
    endedRuns.endedBefore(now - env.RUNLET_RETENTION_MS, stepRuns),
    endedRuns.count(),
    endedRuns.bytes(),
  ]);
  if (old.length > 0) return old;
  const tooMany = Math.min(stepRuns, count - env.RUNLET_RETENTION_RUNS);
  if (tooMany > 0) return endedRuns.oldest(tooMany);
  // One at a time: sizes differ, and no more than necessary should go.
  return bytes > env.RUNLET_RETENTION_BYTES ? endedRuns.oldest(1) : [];
}

/** A run that cannot be forgotten would stay the oldest, and block the retention of all others: its keys are dropped. */
async function forgetOrDrop(gateway: RetentionParts, id: string): Promise<void> {
  try {
    await forget(gateway, id);
  } catch (error) {
    if (isStoreError(error)) throw error;
    gateway.log.error(
      { run: id, err: error },
      'an ended run could not be forgotten as it should; its keys are dropped',
    );
    await gateway.endedRuns.drop(id);
  }
}

async function forget(gateway: RetentionParts, id: string): Promise<void> {
  const record = await gateway.runs.read(id);
  // Without a record the tenant is not known. Its index is repaired later (index-repair.ts).
  if (record === undefined) {
    await gateway.endedRuns.remove(id);
    return;
  }
  const outcome = await gateway.runs.forget(id, record.head.tenant);
  if (outcome === 'active') await gateway.endedRuns.remove(id);
  else await forgetBlobs(gateway, record.head);
}
