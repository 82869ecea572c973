import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { OperationStore } from '../../../shared/stores/operations.ts';
import type { WorkerCommand, WorkerStore } from '../../../shared/stores/workers.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageProvider } from '../images/image-provider.ts';
import type { DetachedExec } from '../services/detached-exec.ts';
import type { ServiceManager } from '../services/manager.ts';
import type { ServiceRequests } from '../services/requests.ts';

const progressMs = 250;

type Done = { digest: string | null; removed?: boolean };

/** Carries out what the gateway asks of this worker beside runs: pull, remove an image, drain. */
export function createCommands(options: {
  workerId: string;
  workers: WorkerStore;
  operations: OperationStore;
  engine: Engine;
  images: ImageProvider;
  imagesChanged: () => void;
  services: Pick<ServiceManager, 'poke'>;
  serviceRuns: { run(runId: string, service: string, detached?: boolean): Promise<void> };
  detached: Pick<DetachedExec, 'look'>;
  requests: ServiceRequests;
  drain: () => void;
  log: Log;
}) {
  const { workerId, operations, engine, log } = options;
  const stopping = new AbortController();
  /** What is broken off when nobody waits for it any more, or when the worker stops. */
  const underWay = new Map<string, { abort: AbortController; done: Promise<void> }>();
  let taking = false;

  async function carryOut(command: WorkerCommand): Promise<void> {
    switch (command.kind) {
      case 'drain':
        return options.drain();
      case 'pull':
        return report(command.operation, async () => {
          await pull(command.operation, command.reference, command.tenant);
          return { digest: (await engine.images.inspect(command.reference))?.digest ?? null };
        });
      case 'remove-image':
        return report(command.operation, async () => {
          const removed = await engine.images.remove(command.reference);
          options.imagesChanged();
          return { digest: null, removed };
        });
      case 'service':
        return options.services.poke(command.service);
      case 'exec':
        return options.serviceRuns.run(command.run, command.service, command.detached);
      case 'service-execs':
        return report(command.operation, async () => {
          await options.detached.look(command.service);
          return { digest: null };
        });
      case 'service-logs':
        return report(command.operation, async () => {
          await options.requests.logs(command);
          return { digest: null };
        });
      case 'service-file':
        return breakable(command.operation, async (signal) => {
          await options.requests.file(command, signal);
          return { digest: null };
        });
      case 'leave':
        return underWay.get(command.operation)?.abort.abort();
      case 'remove-volume':
        return report(command.operation, async () => {
          await engine.volumes.remove(command.volume);
          return { digest: null };
        });
      default:
        return command satisfies never;
    }
  }

  async function pull(operation: string, reference: string, tenant: string): Promise<void> {
    let sentAt = 0;
    await options.images.pull(
      reference,
      tenant,
      (layers) => {
        if (Date.now() - sentAt < progressMs) return;
        sentAt = Date.now();
        operations.append(operation, { kind: 'pull', worker: workerId, reference, layers }).catch(() => {});
      },
      stopping.signal,
    );
  }

  async function breakable(operation: string, act: (signal: AbortSignal) => Promise<Done>): Promise<void> {
    const abort = new AbortController();
    const done = report(operation, () => act(AbortSignal.any([abort.signal, stopping.signal])));
    underWay.set(operation, { abort, done });
    await done.finally(() => underWay.delete(operation));
  }

  async function report(operation: string, act: () => Promise<Done>) {
    const done = { kind: 'done', worker: workerId, digest: null, error: null } as const;
    try {
      await operations.append(operation, { ...done, ...(await act()) });
    } catch (error) {
      if (!(error instanceof Problem)) log.error({ err: error }, 'operation failed for an unforeseen reason');
      const problem =
        error instanceof Problem
          ? error
          : new Problem('internal', 'The worker could not do it: try again, and tell the operator.');
      await operations.append(operation, { ...done, error: problem.toBody() });
    }
  }

  return {
    /** Takes what waits, each on its own way. */
    async takeAll(): Promise<void> {
      if (taking) return;
      taking = true;
      try {
        for (;;) {
          const command = await options.workers.take(workerId);
          if (command === undefined) return;
          carryOut(command).catch((error: Error) => log.warn({ reason: error.message }, 'command failed'));
        }
      } catch (error) {
        log.warn({ reason: (error as Error).message }, 'commands could not be read');
      } finally {
        taking = false;
      }
    },
    /** Resolves when what was broken off has cleared away after itself. */
    async stop(): Promise<void> {
      stopping.abort(new Error('the worker stops'));
      await Promise.allSettled([...underWay.values()].map(({ done }) => done));
    },
  };
}
