import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { ServiceRequest } from '../../../shared/contracts/service.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { isStoreError } from '../../../shared/store-errors.ts';
import { emptyState, type RunHead } from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { ServiceExecRecord, ServiceExecStore } from '../../../shared/stores/service-execs.ts';
import type { ServiceHead, ServiceRecord } from '../../../shared/stores/service-record.ts';
import { type ServiceStore, tellsUsesEveryMs } from '../../../shared/stores/services.ts';
import type { ContainerState } from '../engine/containers.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageInfo } from '../engine/images.ts';
import { serviceName } from '../labels.ts';
import type { ActiveRuns } from '../run/active-runs.ts';
import { asProblem, type Execution, executeRun, type Outcome } from '../run/execute-run.ts';
import { createStop } from '../run/run-stop.ts';
import { openExecSandbox } from '../sandbox/drivers/engine/exec-sandbox.ts';
import { imageEnvironment, usualLocale } from '../sandbox/program/environment.ts';
import type { DetachedExec } from './detached-exec.ts';
import { serviceWorkdir } from './spec.ts';

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
  execs: ServiceExecStore;
  detached: DetachedExec;
  active: ActiveRuns;
  execution: Execution;
  log: Log;
}) {
  const { engine, runs, services, execs, active, workerId, log } = options;

  /** The run is its start, and over with it. */
  async function startDetached(
    holder: Holder,
    head: RunHead,
    service: string,
    container: ContainerState,
    request: RunRequest,
    image: ImageInfo,
  ): Promise<Outcome> {
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

  function executionIn(
    runId: string,
    record: ServiceRecord,
    command: string[],
    container: ContainerState,
    image: ImageInfo,
  ): Execution {
    const service = record.head.id;
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
          const sandbox = await openExecSandbox(engine, container.id, options.initPath);
          // A service in which a program runs is in use.
          const touch = () => void services.touch(service).catch(() => {});
          const touching = setInterval(touch, tellsUsesEveryMs(record.head.request.keepAlive));
          const note: ServiceExecRecord = {
            id: runId,
            command,
            detached: false,
            startedAt: new Date().toISOString(),
            pid: null,
            status: 'running',
            exitCode: null,
            engineExec: null,
            containerStartedAt: container.startedAt,
          };
          await execs.put(service, note).catch(() => {});
          return {
            sandbox,
            own: null,
            warm: false,
            release: async () => {
              clearInterval(touching);
              touch();
              await execs.drop(service, [runId]).catch(() => {});
              await sandbox.remove();
            },
          };
        },
      },
    };
  }

  async function attemptIn(runId: string, service: string, detached: boolean): Promise<Outcome> {
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
      const container = await engine.containers.inspect(serviceName(service));
      const [image, record] = await Promise.all([
        container === null ? null : engine.images.inspect(container.image),
        services.read(service),
      ]);
      if (container?.running !== true || image === null || record === undefined)
        return await end(
          new Problem('container_lost', 'The service does not run any more: start it, then try again.'),
        );
      const { files, localeEnv } = toldOf(record.head);
      const workdir = claim.request.workdir ?? serviceWorkdir(record.head.request.workdir, files, image);
      const { env } = claim.request;
      const locale = usualLocale(imageEnvironment(image), localeEnv, env);
      const request = { ...claim.request, workdir, env: { ...locale, ...env } };
      if (detached) return await startDetached(holder, head, service, container, request, image);
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
      const execution = executionIn(runId, record, request.command ?? [], container, image);
      return await executeRun(execution, attemptOf, undefined);
    } catch (error) {
      if (isStoreError(error)) throw error;
      if (error instanceof Problem) return await end(error);
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
     *
     * @param detached it is started, and left to itself
     */
    async run(runId: string, service: string, detached = false): Promise<void> {
      for (;;) {
        try {
          if ((await attemptIn(runId, service, detached)) !== 'again') return;
        } catch (error) {
          if (!isStoreError(error) && (await endAnyhow(runId, error))) return;
          log.warn({ run: runId, reason: (error as Error).message }, 'a run in a service is tried again');
        }
        await new Promise((resolve) => setTimeout(resolve, againAfterMs));
      }
    },
  };
}

/** What its service says for the runs inside of it. An earlier version wrote the whole request into its head. */
function toldOf({ told, request }: ServiceHead): { files: boolean; localeEnv: Record<string, unknown> } {
  if (told !== undefined)
    return { files: told.files, localeEnv: Object.fromEntries(told.locale.map((name) => [name, true])) };
  const { files, env } = request as ServiceRequest;
  return { files: files.length > 0, localeEnv: env };
}
