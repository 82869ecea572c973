import { LRUCache } from 'lru-cache';
import type { Log } from '../../../shared/log.ts';
import { kindOf } from '../../../shared/run-plan.ts';
import type { Fetch, HeldClaim, RunClaims } from '../../../shared/stores/run-claims.ts';
import type { RunKind } from '../../../shared/stores/run-record.ts';
import type { Ledger } from '../node/ledger.ts';
import type { Execution } from '../run/attempt.ts';
import { foreseeAny } from '../run/foresee.ts';
import type { HeldJob, RunQueue } from './run-queue.ts';

/** So many kinds of runs are looked out for: of each, the state in which it would start goes to Redis with every wait. */
const maxKinds = 8;

export type Fetched = {
  job: HeldJob;
  /** Its run was claimed with it, and counts as started. */
  claim?: HeldClaim;
  /** When it was claimed, or may have been: a claim with the same time is the same claim. */
  claimedAt?: number;
};

/**
 * Fetches runs from the queue. Along with its job a run is claimed, before anything is known of it, if it is like another that found
 * a warm sandbox lately, and there was one when the wait began, and room. So a warm run on an idle worker is stored, fetched, claimed and
 * said to be running in one turn of Redis, with one write to its disk, and its program is started upon the first word of it.
 */
export function createRunFetcher(options: {
  queue: Pick<RunQueue, 'next' | 'held'>;
  /** On the connection that waits. */
  claims: Pick<RunClaims, 'claimFetched'>;
  workerId: string;
  ledger: Pick<Ledger, 'fits'>;
  execution: Execution;
  log: Log;
}) {
  const { queue, claims, ledger, execution } = options;
  const kinds = new LRUCache<string, RunKind>({ max: maxKinds });

  const likely = () =>
    [...kinds].flatMap(([kind, one]) => {
      const state = ledger.fits(one.request.limits) ? foreseeAny(execution, one) : undefined;
      return state === undefined ? [] : [{ kind, state }];
    });

  type Asked = { fetch: Fetch; claimedAt: number; claim: Promise<HeldClaim | undefined> };

  function ask(fetch: Fetch): Asked | undefined {
    const starts = likely();
    if (starts.length === 0) return undefined;
    const claimedAt = Date.now();
    const claim = claims.claimFetched(fetch, options.workerId, starts, claimedAt).catch((error: Error) => {
      options.log.warn({ reason: error.message }, 'a claim was not answered');
      return undefined;
    });
    return { fetch, claimedAt, claim };
  }

  return {
    /** A run found a warm sandbox: one like it may follow. */
    note({ request, firstStep }: RunKind): void {
      kinds.set(kindOf({ request, firstStep }), { request, firstStep });
    },

    /** The next one that is due; `undefined` after a while without one. */
    async next(): Promise<Fetched | undefined> {
      const asked: { along?: Asked | undefined } = {};
      const job = await queue.next((fetch) => {
        asked.along = ask(fetch);
      });
      const { along } = asked;
      const claim = await along?.claim;
      if (along === undefined) return job && { job };
      const { claimedAt } = along;
      if (claim === undefined) return job && { job, claimedAt };
      if (job?.runId === claim.id) return { job, claim, claimedAt };
      // Fetch and claim were sent anew, their connection broke: what is claimed had been fetched the first time.
      await job?.handBack();
      const held = await queue.held(claim.id, along.fetch);
      return held && { job: held, claim, claimedAt };
    },
  };
}
