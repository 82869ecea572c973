import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { isStoreError } from '../../../shared/store-errors.ts';
import { emptyState, type RunHead } from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { ActiveRuns } from '../run/active-runs.ts';
import { asProblem } from '../run/as-problem.ts';
import type { Execution, Outcome } from '../run/attempt.ts';
import { createUnstartedEnds, holderOf } from '../run/claimed.ts';
import { executeRun } from '../run/execute-run.ts';
import { createStop } from '../run/run-stop.ts';
import type { DetachedExec } from '../services/detached-exec.ts';
import type { Inside, ServiceInside } from '../services/inside.ts';

/** What was put off is tried again after this. */
const againAfterMs = 1_000;

/** Runs inside services: the way of a run (execute-run.ts), with the service's container in the place of a sandbox of its own. */
export function createServiceRuns(options: {
  workerId: string;
  runs: RunStore;
  inside: ServiceInside;
  detached: DetachedExec;
  active: ActiveRuns;
  execution: Execution;
  log: Log;
}) {
  const { runs, active, workerId, log } = options;
  const unstarted = createUnstartedEnds({ runs, workerId, log });

  /** The run is the start of its program, and over with it. */
  async function startDetached(holder: Holder, head: RunHead, inside: Inside): Promise<Outcome> {
    const { service, container, request, image } = inside;
    const startedAt = new Date();
    await options.detached.start(holder.runId, service, container, request);
    const finishedAt = new Date();
    const totalMs = Math.max(0, finishedAt.getTime() - Date.parse(head.createdAt));
    const state = {
      ...emptyState,
      image: { reference: request.image ?? '', digest: image.digest },
      timings: { ...emptyState.timings, startMs: finishedAt.getTime() - startedAt.getTime(), totalMs },
      startedAt: startedAt.toISOString(),
      finishedAt: finishedAt.toISOString(),
    };
    return (await runs.finish(holder, 'succeeded', state, 0, head.createdAt)) ? 'finished' : 'lost';
  }

  /** No image is pulled, and no sandbox made. */
  function executionIn(runId: string, inside: Inside): Execution {
    const { execution } = options;
    return {
      ...execution,
      images: {
        ...execution.images,
        recall: () => undefined,
        provide: async () => ({ image: inside.image, pullMs: null }),
      },
      sandboxes: {
        takeWarm: () => undefined,
        countWarm: () => 0,
        learn: () => {},
        open: () => options.inside.open(runId, inside),
      },
    };
  }

  async function attemptIn(runId: string, service: string, detached: boolean): Promise<Outcome> {
    const claimedAt = Date.now();
    const claim = await runs.claim(runId, workerId);
    if (claim.verdict !== 'claimed') return unstarted.asClaimed(claim, 'in_service');
    const { head } = claim;
    const holder = holderOf(claim, workerId);
    const stop = createStop();
    active.add(holder, stop);
    try {
      const inside = await options.inside.find(service, claim.request);
      if (detached) return await startDetached(holder, head, inside);
      const attemptOf = {
        holder,
        head,
        request: inside.request,
        claimedAt,
        stop,
        programStarted: () => {},
        programsEnded: () => {},
        written: () => {},
      };
      return await executeRun(executionIn(runId, inside), attemptOf, undefined);
    } catch (error) {
      if (isStoreError(error)) throw error;
      if (error instanceof Problem) return await unstarted.withProblem(claim, error);
      await runs.endBroken(runId, asProblem(error, log, runId).toBody(), holder);
      return 'finished';
    } finally {
      active.remove(runId);
    }
  }

  /** Ends a run whose attempt is not known. False: not even that is possible now. */
  async function endAnyhow(runId: string, error: unknown): Promise<boolean> {
    try {
      await runs.endBroken(runId, asProblem(error, log, runId).toBody());
      return true;
    } catch {
      return false;
    }
  }

  return {
    /**
     * Sees the run to its end: nobody else has its job. What Redis, or the engine, was away for is tried again, as often as its record
     * allows (claim-run.lua).
     *
     * @param detached its program is started, and left to itself
     */
    async run(runId: string, service: string, detached = false): Promise<void> {
      for (;;) {
        try {
          if ((await attemptIn(runId, service, detached)) !== 'again') return;
        } catch (error) {
          if (!isStoreError(error) && (await endAnyhow(runId, error))) return;
          log.warn({ run: runId, reason: (error as Error).message }, 'a run in a service is tried again');
        }
        await sleep(againAfterMs);
      }
    },
  };
}
