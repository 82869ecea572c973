import { LRUCache } from 'lru-cache';
import type { Log } from '../../../shared/log.ts';
import { kindOf } from '../../../shared/run-plan.ts';
import type { Fetch, HeldClaim, RunClaims } from '../../../shared/stores/run-claims.ts';
import type { RunKind } from '../../../shared/stores/run-record.ts';
import type { Ledger } from '../node/ledger.ts';
import type { Execution } from '../run/attempt.ts';
import { foreseeAny } from '../run/foresee.ts';
import type { HeldJob, RunQueue } from './run-queue.ts';

/** Every wait sends Redis the state in which a run of each kind would start, so their number is bounded. */
const maxKinds = 8;

export type Fetched = {
  job: HeldJob;
  /** Its run was claimed with it, and counts as started. */
  claim?: HeldClaim;
  /** When it was claimed, or may have been. A claim with the same time is the same claim. */
  claimedAt?: number;
};

/**
 * Fetches runs from the queue. A run is claimed together with its job if it is of a kind that found a warm sandbox lately, and if there
 * was such a sandbox, and room, when the wait began. So on an idle worker a warm run is stored, fetched, claimed and moved to `running`
 * in one turn of Redis with one write to its disk, and its program starts at the first message about it.
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
    /** A run of this kind found a warm sandbox: others of it may follow. */
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
      // The connection broke, and fetch and claim were sent again: the claimed job was fetched the first time.
      await job?.handBack();
      const held = await queue.held(claim.id, along.fetch);
      return held && { job: held, claim, claimedAt };
    },
  };
}
