import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import { openPayload } from './run-parts.ts';
import { parseRecord, type RunRecord, recordFields } from './run-record.ts';

/** A run's record with its whole request (secrets masked), if the request can be opened; `undefined` if the run is gone. */
export async function readWhole(
  redis: RedisConnection,
  keys: Keys,
  sealer: Sealer,
  id: string,
): Promise<RunRecord | undefined> {
  const [forgotten, payload, ...fields] = await redis.hmgetBuffer(
    keys.run(id),
    'forgotten',
    'payload',
    ...recordFields,
  );
  // A forgotten run's record is kept only until its webhooks are on their way.
  return forgotten ? undefined : wholeRecord(sealer, id, fields, payload);
}

/** @param fields in the order of `recordFields` */
export function wholeRecord(
  sealer: Sealer,
  id: string,
  fields: (Buffer | null)[],
  payload: Buffer | null | undefined,
): RunRecord | undefined {
  const record = parseRecord(
    id,
    fields.map((field) => field?.toString() ?? null),
  );
  if (record === undefined || record.unreadable || !payload) return record;
  try {
    return { ...record, request: openPayload(sealer, record.head, payload) };
  } catch {
    // RUNLET_SECRET_KEY was changed, or the run is broken. The rest is shown, and the run can still be listed and forgotten.
    return record;
  }
}
