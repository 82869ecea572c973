import type { RunRequest } from '../contracts/run-request.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import { jobKeys, type RunJobData } from './run-jobs.ts';
import { openParts, specContext } from './run-parts.ts';
import { parseHead, type RunHead, type RunOutline, type RunState, standIn } from './run-record.ts';
import { loadVitalScript, text } from './scripts.ts';

const scripts = {
  claim: loadVitalScript('claim-run', 'claim'),
  take: loadVitalScript('claim-run', 'take'),
  dropJob: loadVitalScript('end-job', 'drop-job'),
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
 * A kind of run that can be started (`kindOf`, run-plan.ts). `warm`: so many of them can start at once; `state`: the one in which these start,
 * without its times.
 */
export type Start = { kind: string; warm: number; state: RunState };

/** A job that a worker is given from the queue. */
export type TakenJob = {
  id: string;
  /** As the job carries it, if it does. */
  outline: RunOutline | undefined;
  /** Its run was claimed with it. */
  claim?: HeldClaim;
  /** It counts as started. */
  running: boolean;
};

export type Taken =
  | { outcome: 'taken'; jobs: TakenJob[] }
  | { outcome: 'none'; someDelayed: boolean }
  /** Delayed jobs have come due, and BullMQ must move them first. */
  | { outcome: 'due' };

type Take = {
  /** New for each take. The same take again (a connection broke before its answer) answers the same. */
  token: string;
  lockMs: number;
  worker: string;
  starts: Start[];
  now: number;
  /** So many jobs at most; half of what waits is left to other workers. */
  most: number;
};

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
  const jobs = jobKeys(keys);

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

  function jobOf(answer: unknown): TakenJob {
    const [id, data, running, said] = answer as unknown[];
    const claim = said === undefined ? undefined : claimOf(said);
    const isHeld = claim !== undefined && 'id' in claim && claim.verdict !== 'unknown';
    return {
      id: text(id),
      outline: outlineIn(text(data)),
      running: running === 1,
      ...(isHeld && { claim }),
    };
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

    /** Takes the next jobs, and claims those runs that are of one of these kinds. */
    async take({ token, lockMs, worker, starts, now, most }: Take): Promise<Taken> {
      const ofAny = '<id>';
      const [outcome, ...rest] = (await scripts.take(
        redis,
        [
          ...[jobs.wait, jobs.prioritized, jobs.active, jobs.delayed, jobs.marker, jobs.counter],
          keys.workerTaken(worker),
        ],
        [
          token,
          lockMs,
          jobs.lock(ofAny),
          jobs.job(ofAny),
          keys.run(ofAny),
          keys.spec(ofAny),
          keys.events(ofAny),
          keys.wake(ofAny),
          worker,
          now,
          maxBounces,
          most,
          ...starts.flatMap(({ kind, warm, state }) => [kind, warm, JSON.stringify(state)]),
        ],
      )) as unknown[];
      switch (text(outcome)) {
        case 'due':
          return { outcome: 'due' };
        case 'none':
          return { outcome: 'none', someDelayed: rest[0] === 1 };
        default:
          return { outcome: 'taken', jobs: rest.map(jobOf) };
      }
    },

    /** The job is done, if this token still holds it, though nothing was written of its run. */
    async dropJob(id: string, token: string): Promise<'ended' | 'lost'> {
      const names = [jobs.job(id), jobs.lock(id), jobs.active, jobs.stalled];
      return text(await scripts.dropJob(redis, names, [token, id])) as 'ended' | 'lost';
    },
  };
}

/** A job whose data cannot be read is one without an outline, and its run is looked up. */
function outlineIn(data: string): RunOutline | undefined {
  try {
    return (JSON.parse(data) as RunJobData | null)?.outline;
  } catch {
    return undefined;
  }
}
