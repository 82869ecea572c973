import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { isStoreError } from '../../../shared/store-errors.ts';
import { emptyState } from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { ServiceStore } from '../../../shared/stores/services.ts';
import type { ActiveRuns } from '../active-runs.ts';
import type { Engine, ImageInfo } from '../engine/engine.ts';
import { asProblem, type Execution, executeRun, type Outcome } from '../execute-run.ts';
import { openExecSandbox } from '../sandbox/exec-sandbox.ts';
import { serviceName } from '../sandbox/labels.ts';
import { createStop } from '../stop.ts';
import { serviceWorkdir } from './service-spec.ts';

/** A service in which a program runs is in use. */
const touchMs = 1_000;
/** What was put off is tried again after this. */
const againAfterMs = 1_000;

export type ServiceExec = ReturnType<typeof createServiceExec>;

/** Runs inside services: the way of a run (execute-run.ts), with the service's container in the place of a sandbox of its own. */
export function createServiceExec(options: {
  workerId: string;
  engine: Engine;
  initPath: string;
  runs: RunStore;
  services: ServiceStore;
  active: ActiveRuns;
  execution: Execution;
  log: Log;
}) {
  const { engine, runs, services, active, workerId, log } = options;

  function executionIn(service: string, container: string, image: ImageInfo): Execution {
    return {
      ...options.execution,
      images: {
        ...options.execution.images,
        recall: () => undefined,
        provide: async () => ({ image, pullMs: null }),
      },
      sandboxes: {
        takeWarm: () => undefined,
        hasWarm: () => false,
        learn: () => {},
        async open() {
          const sandbox = await openExecSandbox(engine, container, options.initPath);
          const touching = setInterval(() => services.touch(service).catch(() => {}), touchMs);
          return {
            sandbox,
            folders: null,
            warm: false,
            release: async () => {
              clearInterval(touching);
              await sandbox.remove();
            },
          };
        },
      },
    };
  }

  async function attemptIn(runId: string, service: string): Promise<Outcome> {
    const claimedAt = Date.now();
    const claim = await runs.claim(runId, workerId);
    if (claim.verdict === 'gone' || claim.verdict === 'ended') return 'lost';
    const { attempt } = claim;
    if (claim.verdict === 'broken') {
      log.error({ run: runId, reason: claim.reason }, 'run is broken');
      await runs.endBroken(runId, undefined, { attempt, worker: workerId });
      return 'finished';
    }
    const { head } = claim;
    const holder: Holder = { runId, tenant: head.tenant, attempt, worker: workerId };
    const end = async (error: Problem | null): Promise<Outcome> => {
      const state = { ...emptyState, error: error?.toBody() ?? null, finishedAt: new Date().toISOString() };
      await runs.finish(holder, error === null ? 'cancelled' : 'errored', state, 0, head.createdAt);
      return 'finished';
    };
    if (claim.verdict === 'cancelled') return end(null);
    if (claim.verdict === 'lost')
      return end(new Problem('worker_lost', 'The worker was lost while the program ran: run it again.'));
    const stop = createStop();
    active.add(holder, stop);
    try {
      const container = await engine.inspect(serviceName(service));
      const [image, record] = await Promise.all([
        container === null ? null : engine.inspectImage(container.image),
        services.read(service),
      ]);
      if (container?.running !== true || image === null || record === undefined)
        return await end(
          new Problem('container_lost', 'The service does not run any more: start it, then try again.'),
        );
      const workdir = claim.request.workdir ?? serviceWorkdir(record.head.request, image);
      const request = { ...claim.request, workdir };
      const attemptOf = {
        holder,
        head,
        request,
        claimedAt,
        stop,
        programStarted: () => {},
        programsEnded: () => {},
        written: () => {},
      };
      return await executeRun(executionIn(service, container.id, image), attemptOf, undefined);
    } catch (error) {
      if (isStoreError(error)) throw error;
      await runs.endBroken(runId, asProblem(error, log, runId).toBody(), holder);
      return 'finished';
    } finally {
      active.remove(runId);
    }
  }

  /** Before it was known whose attempt it is. False: not even that is possible now. */
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
     * allows (claim.lua).
     */
    async run(runId: string, service: string): Promise<void> {
      for (;;) {
        try {
          if ((await attemptIn(runId, service)) !== 'again') return;
        } catch (error) {
          if (!isStoreError(error) && (await endAnyhow(runId, error))) return;
          log.warn({ run: runId, reason: (error as Error).message }, 'a run in a service is tried again');
        }
        await new Promise((resolve) => setTimeout(resolve, againAfterMs));
      }
    },
  };
}
