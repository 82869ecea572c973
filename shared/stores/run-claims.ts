import type { RunRequest } from '../contracts/run-request.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import { openParts, specContext } from './run-parts.ts';
import { parseHead, type RunHead, type RunState, standIn } from './run-record.ts';
import { loadVitalScript, text } from './scripts.ts';

const scripts = {
  claim: loadVitalScript('claim'),
  claimFetched: loadVitalScript('fetched', 'claim'),
};

export type Claim = HeldClaim | { verdict: 'gone' } | { verdict: 'ended' };
export type HeldClaim = { id: string; attempt: number } & (
  | { verdict: 'claimed'; head: RunHead; request: RunRequest }
  | { verdict: 'cancelled'; head: RunHead }
  | { verdict: 'lost'; head: RunHead }
  /**
   * Its record cannot be read, or its request cannot be opened. A retry would not help, so the run can only be ended
   * (run-fault.ts).
   */
  | { verdict: 'broken'; reason: string }
);

/**
 * The request for the next job that a worker has just sent: the token of the job's lock, and BullMQ's key names (`<id>` stands
 * for the job's id).
 */
export type Fetch = { token: string; active: string; lock: string; job: string };

/** A kind of run that can be started at once (`kindOf`, run-plan.ts), and the state in which it starts, without its times. */
export type Start = { kind: string; state: RunState };

/** How often a run whose program never started may be passed to another worker. After that it ends as `worker_lost`. */
const maxBounces = 5;

/**
 * Copies `retries` from the head of a run that an earlier version stored, or 0 if the head cannot be read. Scripts do not read
 * heads, because users write parts of them.
 */
export async function noteRetries(redis: RedisConnection, keys: Keys, id: string): Promise<void> {
  const { retries } = parseHead(id, await redis.hget(keys.run(id), 'head'))?.request ?? {};
  await redis.hset(keys.run(id), 'retries', Number.isInteger(retries) ? String(retries) : '0');
}

export type RunClaims = ReturnType<typeof createRunClaims>;

/** How a worker takes a run. The worker gets the next attempt, and every later write is fenced by that attempt. */
export function createRunClaims(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  function claimOf(answer: unknown): Claim | { verdict: 'unknown'; id: string } {
    const [said, key, count, json, tenant, createdAt, ...sealed] = answer as unknown[];
    const verdict = text(said);
    if (verdict === 'ended') return { verdict };
    if (verdict !== 'claimed' && verdict !== 'cancelled' && verdict !== 'lost' && verdict !== 'unknown')
      return { verdict: 'gone' };
    const id = text(key).slice(keys.run('').length);
    if (verdict === 'unknown') return { verdict, id };
    const held = { id, attempt: Number(count) };
    const head = parseHead(id, text(json));
    const owner = text(tenant);
    if (verdict !== 'claimed' && (head !== undefined || owner))
      return { verdict, ...held, head: head ?? standIn(id, owner, text(createdAt) || undefined) };
    if (head === undefined) return { verdict: 'broken', ...held, reason: 'its record cannot be read' };
    try {
      const [payload, secrets, spec] = sealed as [Buffer, Buffer, Buffer];
      const request =
        spec.length > 0
          ? (JSON.parse(sealer.open(spec, specContext(id))) as RunRequest)
          : openParts(sealer, head, payload, secrets);
      return { verdict: 'claimed', ...held, head, request };
    } catch (error) {
      const reason = `its request cannot be opened (${(error as Error).message}): was RUNLET_SECRET_KEY changed?`;
      return { verdict: 'broken', ...held, reason };
    }
  }

  return {
    /** Takes a run. With `running`, the state in which it starts, the run becomes `running` in the same step. */
    async claim(id: string, worker: string, running?: RunState, now = Date.now()): Promise<Claim> {
      const event = JSON.stringify({ status: 'running', at: new Date().toISOString() });
      const claimOnce = async () =>
        claimOf(
          await scripts.claim(
            redis,
            [keys.run(id), keys.spec(id), keys.events(id)],
            [
              worker,
              now,
              maxBounces,
              ...(running === undefined
                ? []
                : [JSON.stringify(running), `${event.slice(0, -1)},"attempt":`, keys.wake(id)]),
            ],
          ),
        );
      const claim = await claimOnce();
      if (claim.verdict !== 'unknown') return claim;
      await noteRetries(redis, keys, id);
      const known = await claimOnce();
      return known.verdict === 'unknown' ? { verdict: 'gone' } : known;
    },

    /**
     * The same as `claim`, for the run whose job this worker's fetch brings, if the run is of one of these kinds. Sent right
     * after the fetch, over the same connection. `undefined`: nothing was claimed.
     */
    async claimFetched(
      fetch: Fetch,
      worker: string,
      starts: Start[],
      now: number,
    ): Promise<HeldClaim | undefined> {
      const ofAny = '<id>';
      const claim = claimOf(
        await scripts.claimFetched(
          redis,
          [fetch.active],
          [
            fetch.token,
            fetch.lock,
            fetch.job,
            keys.run(ofAny),
            keys.spec(ofAny),
            keys.events(ofAny),
            keys.wake(ofAny),
            worker,
            now,
            maxBounces,
            ...starts.flatMap(({ kind, state }) => [kind, JSON.stringify(state)]),
          ],
        ),
      );
      return 'id' in claim && claim.verdict !== 'unknown' ? claim : undefined;
    },
  };
}
