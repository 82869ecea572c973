import type { ProblemBody } from '../contracts/problem.ts';
import type { Keys } from '../keys.ts';
import { Problem } from '../problems.ts';
import type { RedisConnection } from '../redis.ts';
import { isTerminal, type RunStatus, runStatuses } from '../run-states.ts';
import { giveBack } from './give-back.ts';
import { createdOf, emptyState, parseHead, parseState, type RunState } from './run-record.ts';
import { knownTenants } from './tenants.ts';

/** What a user is told when Runlet itself failed. The cause is in the log. */
export const faultOfOurs = (): ProblemBody =>
  new Problem(
    'internal',
    'The run failed for a reason on our side: run it again, and tell the operator.',
  ).toBody();

/** Writes the end of a run: the `finish` function of the run store. */
type Finish = (
  holder: { runId: string; tenant: string; attempt: number; worker: string },
  status: 'errored',
  state: RunState,
  outputBytes: number,
  createdAt: string,
) => Promise<boolean>;

/**
 * Ends, as `errored`, a run that cannot be carried out because Runlet itself failed. Webhooks and waiting clients get this end.
 * It works with a broken record too: broken parts are ignored, or are removed if the end could not be written otherwise. False:
 * the run had ended already, is gone, or belongs to another worker now.
 *
 * @param holder the run is ended only if it is still this worker's attempt; without it, the run is ended whoever holds it
 */
export async function endBroken(
  redis: RedisConnection,
  keys: Keys,
  finish: Finish,
  id: string,
  error: ProblemBody,
  holder?: { attempt: number; worker: string },
): Promise<boolean> {
  const key = keys.run(id);
  if ((await redis.type(key)) !== 'hash') {
    await forgetEntirely(redis, keys, id);
    return false;
  }
  const [status, attempt, stored, json, named, createdAt] = await redis.hmget(
    key,
    'status',
    'attempt',
    'state',
    'head',
    'tenant',
    'createdAt',
  );
  if (!status) {
    await forgetEntirely(redis, keys, id);
    return false;
  }
  if (isTerminal(status)) return false;
  const head = parseHead(id, json);
  const tenant = named || head?.tenant || (await tenantOf(redis, keys, id)) || '';
  const since = createdOf(id, createdAt ?? head?.createdAt);
  // Lists and quotas need these fields. finish.lua compares the status and the attempt.
  const mended: Record<string, string> = { tenant, createdAt: since };
  if (!runStatuses.includes(status as RunStatus)) mended.status = 'queued';
  const number = Number(attempt);
  const known = Number.isSafeInteger(number) && String(number) === attempt;
  if (!known) mended.attempt = '0';
  await redis.hset(key, mended);
  // If a script fails because a key has another type, half of its writes stay. So such a key is removed first.
  if (!['stream', 'none'].includes(await redis.type(keys.events(id)))) await redis.del(keys.events(id));

  const state: RunState = {
    ...emptyState,
    ...parseState(stored),
    error,
    finishedAt: new Date().toISOString(),
  };
  state.steps = state.steps.map((step) => (isTerminal(step.status) ? step : { ...step, status: 'errored' }));
  const fence = holder ?? { attempt: known ? number : 0, worker: '' };
  return finish({ runId: id, tenant, ...fence }, 'errored', state, 0, since);
}

/** The tenant whose index contains the run; `undefined` if none does. */
async function tenantOf(redis: RedisConnection, keys: Keys, id: string): Promise<string | undefined> {
  for (const tenant of await knownTenants(redis, keys))
    if ((await redis.zscore(keys.tenantRuns(tenant), id)) !== null) return tenant;
  return undefined;
}

/** For an id without a record: removes the keys of the run, and its entries in the indexes. */
async function forgetEntirely(redis: RedisConnection, keys: Keys, id: string): Promise<void> {
  await redis.del(keys.run(id), keys.spec(id), keys.events(id), keys.attach(id));
  await redis.zrem(keys.open, id);
  await redis.zrem(keys.finished, id);
  for (const tenant of await knownTenants(redis, keys)) {
    await giveBack(redis, keys, tenant, id);
    await redis.zrem(keys.tenantRuns(tenant), id);
  }
}
