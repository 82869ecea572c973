import type { RunRequest } from '../contracts/run-request.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import type { RunHead, RunState } from './run-record.ts';
import { loadScript, text } from './scripts.ts';

const scripts = {
  claim: loadScript('claim'),
  claimFetched: loadScript('fetched', 'claim'),
};

export type Claim = HeldClaim | { verdict: 'gone' } | { verdict: 'ended' };
export type HeldClaim =
  | { verdict: 'claimed'; attempt: number; head: RunHead; request: RunRequest }
  | { verdict: 'cancelled'; attempt: number; head: RunHead }
  | { verdict: 'lost'; attempt: number; head: RunHead };

/** A worker's fetch of the next job that has just been sent: what its lock will say, and BullMQ's names (with `<id>` for a job's id). */
export type Fetch = { token: string; active: string; lock: string; job: string };

/** A kind of run that can be started at once (`kindOf`, run-plan.ts), and the state in which it starts, but for its times. */
export type Start = { kind: string; state: RunState };

/** A run whose program never started may be handed on so often before it is given up as `worker_lost`. */
const mostBounces = 5;

/** Binds a run's sealed request to the run. */
export const specContext = (id: string): string => `spec:${id}`;

export type RunClaims = ReturnType<typeof createRunClaims>;

/** How a worker takes a run: the next attempt is its own, and fences every later write. */
export function createRunClaims(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  function claimOf(answer: unknown): Claim {
    const [said, attempt, head, spec] = answer as [unknown, unknown, unknown, Buffer];
    const verdict = text(said);
    if (verdict === 'ended') return { verdict };
    if (verdict !== 'claimed' && verdict !== 'cancelled' && verdict !== 'lost') return { verdict: 'gone' };
    const held = { attempt: Number(attempt), head: JSON.parse(text(head)) as RunHead };
    if (verdict !== 'claimed') return { verdict, ...held };
    const request = JSON.parse(sealer.open(spec, specContext(held.head.id))) as RunRequest;
    return { verdict, ...held, request };
  }

  return {
    /** Takes a run; with `running`, the state in which it starts, it is moved to `running` in the same step. */
    async claim(id: string, worker: string, running?: RunState, now = Date.now()): Promise<Claim> {
      const event = JSON.stringify({ status: 'running', at: new Date().toISOString() });
      return claimOf(
        await scripts.claim(
          redis,
          [keys.run(id), keys.spec(id), keys.events(id)],
          [
            worker,
            now,
            mostBounces,
            ...(running === undefined
              ? []
              : [JSON.stringify(running), `${event.slice(0, -1)},"attempt":`, keys.wake(id)]),
          ],
        ),
      );
    },

    /**
     * As `claim`, of the run whose job this worker's fetch brings, if it is of one of these kinds: sent right behind the fetch, over the
     * same connection. `undefined`: nothing is claimed.
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
            mostBounces,
            ...starts.flatMap(({ kind, state }) => [kind, JSON.stringify(state)]),
          ],
        ),
      );
      return 'head' in claim ? claim : undefined;
    },
  };
}
