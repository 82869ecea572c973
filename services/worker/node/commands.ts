import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { OperationStore } from '../../../shared/stores/operations.ts';
import type { WorkerCommand, WorkerStore } from '../../../shared/stores/workers.ts';
import type { Engine } from '../engine/engine.ts';
import type { ImageProvider } from '../images/image-provider.ts';

/** Pull progress goes to whoever follows the operation at most so often. */
const progressMs = 250;

type Command<Kind extends WorkerCommand['kind']> = Extract<WorkerCommand, { kind: Kind }>;

type Done = { digest: string | null; removed?: boolean };

/** Carries out what the gateway asks of this worker beside runs: pull, remove an image, drain, take runs again. */
export function createCommands(options: {
  workerId: string;
  workers: WorkerStore;
  operations: OperationStore;
  engine: Engine;
  images: Pick<ImageProvider, 'pull'>;
  drivers: { letGo(image: string): Promise<void> };
  /** Removes an image, once it has removed its sandboxes that nobody uses. */
  sandboxes: { removeImage(image: string, remove: () => Promise<boolean>): Promise<boolean> };
  imagesChanged: () => void;
  services: { poke(service: string): Promise<void> };
  serviceRuns: { run(run: string, service: string, detached?: boolean): Promise<void> };
  detached: { look(service: string): Promise<unknown> };
  requests: {
    logs(command: Command<'service-logs'>): Promise<void>;
    file(command: Command<'service-file'>, signal: AbortSignal): Promise<void>;
  };
  drain: () => void;
  /** Resolves when it is known that this worker takes runs again. */
  undrain: () => Promise<void>;
  log: Log;
}) {
  const { workerId, operations, engine, log } = options;
  const stopping = new AbortController();
  /** Operations that end early when nobody waits for them any more, or when the worker stops. */
  const underWay = new Map<string, { abort: AbortController; done: Promise<void> }>();
  let taking = false;

  async function carryOut(command: WorkerCommand): Promise<void> {
    switch (command.kind) {
      case 'drain':
        return options.drain();
      case 'undrain':
        return report(command.operation, async () => {
          if (stopping.signal.aborted)
            throw new Problem(
              'conflict',
              'The worker is shutting down, and takes no more runs: start it again when it has ended.',
            );
          await options.undrain();
          return { digest: null };
        });
      case 'pull':
        return report(command.operation, async () => {
          await pull(command.operation, command.reference, command.tenant);
          return { digest: (await engine.images.inspect(command.reference))?.digest ?? null };
        });
      case 'remove-image':
        return report(command.operation, async () => {
          const image = await engine.images.inspect(command.reference);
          const remove = () => engine.images.remove(command.reference);
          const removed = await (image === null
            ? remove()
            : options.sandboxes.removeImage(image.id, async () => {
                // Its files may be in use without the engine's knowledge.
                await options.drivers.letGo(image.id);
                return remove();
              }));
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
        return reportStoppable(command.operation, async (signal) => {
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

  async function reportStoppable(
    operation: string,
    act: (signal: AbortSignal) => Promise<Done>,
  ): Promise<void> {
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
    /** Takes all commands that wait; each is carried out by itself. */
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
    /** Resolves when the operations that it ends early have cleared away after themselves. */
    async stop(): Promise<void> {
      stopping.abort(new Error('the worker stops'));
      await Promise.allSettled([...underWay.values()].map(({ done }) => done));
    },
  };
}
