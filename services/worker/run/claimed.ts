import type { Log } from '../../../shared/log.ts';
import type { Problem } from '../../../shared/problems.ts';
import { type Loss, workerLost } from '../../../shared/run-losses.ts';
import type { Claim, HeldClaim } from '../../../shared/stores/run-claims.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { Outcome } from './attempt.ts';
import { unstartedState } from './run-progress.ts';

/** A claim whose run can be read. */
type Readable = Exclude<HeldClaim, { verdict: 'broken' }>;

/** The attempt that a claim has made a worker's own. */
export const holderOf = ({ head, attempt }: Readable, worker: string): Holder => ({
  runId: head.id,
  tenant: head.tenant,
  attempt,
  worker,
});

export type UnstartedEnds = ReturnType<typeof createUnstartedEnds>;

/** Ends runs that were claimed and are not started. */
export function createUnstartedEnds(options: {
  runs: Pick<RunStore, 'finish' | 'endBroken'>;
  workerId: string;
  log: Log;
}) {
  const { runs, workerId, log } = options;

  /** @param error `null`: the run was cancelled */
  async function end(claim: Readable, error: Problem | null): Promise<Outcome> {
    const status = error === null ? 'cancelled' : 'errored';
    await runs.finish(holderOf(claim, workerId), status, unstartedState(error), 0, claim.head.createdAt);
    return 'finished';
  }

  async function endBroken({ id, attempt, reason }: Extract<HeldClaim, { verdict: 'broken' }>) {
    log.error({ run: id, reason }, 'run is broken');
    await runs.endBroken(id, undefined, { attempt, worker: workerId });
    return 'finished' as const;
  }

  return {
    /** Does what the claim says, where it does not say that the run is to be started. */
    async asClaimed(claim: Exclude<Claim, { verdict: 'claimed' }>, loss: Loss): Promise<Outcome> {
      switch (claim.verdict) {
        case 'gone':
        case 'ended':
          return 'lost';
        case 'broken':
          return endBroken(claim);
        case 'cancelled':
          return end(claim, null);
        case 'lost':
          return end(claim, workerLost(loss));
        default:
          return claim satisfies never;
      }
    },

    /** Ends the run with this problem, whatever the claim says. */
    async withProblem(claim: Claim, problem: Problem): Promise<Outcome> {
      if (claim.verdict === 'gone' || claim.verdict === 'ended') return 'lost';
      return claim.verdict === 'broken' ? endBroken(claim) : end(claim, problem);
    },
  };
}
