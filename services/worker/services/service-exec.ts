import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { emptyState } from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { ServiceStore } from '../../../shared/stores/services.ts';
import type { ActiveRuns } from '../active-runs.ts';
import type { Engine, ImageInfo } from '../engine/engine.ts';
import { type Execution, executeRun } from '../execute-run.ts';
import { openExecSandbox } from '../sandbox/exec-sandbox.ts';
import { serviceName } from '../sandbox/labels.ts';
import { imageEnvironment, usualLocale } from '../sandbox/program.ts';
import { createStop } from '../stop.ts';
import { serviceWorkdir } from './service-spec.ts';

/** A service in which a program runs is in use. */
const touchMs = 1_000;

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
  const { engine, runs, services, active, workerId } = options;

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

  return {
    async run(runId: string, service: string): Promise<void> {
      const claimedAt = Date.now();
      const claim = await runs.claim(runId, workerId);
      if (claim.verdict === 'gone' || claim.verdict === 'ended') return;
      const { head, attempt } = claim;
      const holder: Holder = { runId, tenant: head.tenant, attempt, worker: workerId };
      const end = (error: Problem | null) =>
        runs.finish(
          holder,
          error === null ? 'cancelled' : 'errored',
          { ...emptyState, error: error?.toBody() ?? null, finishedAt: new Date().toISOString() },
          0,
          head.createdAt,
        );
      if (claim.verdict === 'cancelled') return void (await end(null));
      if (claim.verdict === 'lost')
        return void (await end(
          new Problem('worker_lost', 'The worker was lost while the program ran: run it again.'),
        ));
      const container = await engine.inspect(serviceName(service));
      const [image, record] = await Promise.all([
        container === null ? null : engine.inspectImage(container.image),
        services.read(service),
      ]);
      if (container?.running !== true || image === null || record === undefined)
        return void (await end(
          new Problem('container_lost', 'The service does not run any more: start it, then try again.'),
        ));
      const stop = createStop();
      active.add(holder, stop);
      try {
        const workdir = claim.request.workdir ?? serviceWorkdir(record.head.request, image);
        const { env } = claim.request;
        const locale = usualLocale(imageEnvironment(image), record.head.request.env, env);
        const request = { ...claim.request, workdir, env: { ...locale, ...env } };
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
        await executeRun(executionIn(service, container.id, image), attemptOf, undefined);
      } finally {
        active.remove(runId);
      }
    },
  };
}
