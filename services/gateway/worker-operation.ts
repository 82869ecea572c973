import { newId } from '../../shared/ids.ts';
import { Problem } from '../../shared/problems.ts';
import type { OperationEvent } from '../../shared/stores/operations.ts';
import type { ServiceRecord } from '../../shared/stores/service-record.ts';
import type { WorkerCommand } from '../../shared/stores/workers.ts';
import type { Gateway } from './gateway.ts';
import { createHint } from './hint.ts';

export type WorkerOperationParts = Pick<Gateway, 'keys' | 'operations' | 'wakeups' | 'workers'>;

const pollMs = 500;

/** A running service, and the worker that holds it. Throws 409 for one that does not run. */
export function holderOf(record: ServiceRecord): string {
  if (record.worker !== null && record.status === 'ready') return record.worker;
  throw new Problem(
    'conflict',
    `The service is ${record.status}: it must be ready for this. Start it, and wait until it is.`,
  );
}

/**
 * Sends a command to the service's worker, and waits until it is done. Throws the worker's Problem, or 504 if no answer comes. If we stop
 * waiting, because of that or of the signal, the worker is told so.
 */
export async function askWorker(
  gateway: WorkerOperationParts,
  worker: string,
  command: (operation: string) => WorkerCommand,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  const operation = newId('pul');
  const until = Date.now() + ms;
  let answered = false;
  const hint = createHint();
  signal?.addEventListener('abort', hint.give, { once: true });
  const unlisten = await gateway.wakeups.listen(gateway.keys.wake(operation), hint.give);
  try {
    await gateway.workers.send(worker, command(operation));
    for (;;) {
      hint.forget();
      const events = await gateway.operations.read(operation, '0');
      const done = events
        .map(({ event }) => event)
        .find((event): event is Extract<OperationEvent, { kind: 'done' }> => event.kind === 'done');
      answered = done !== undefined;
      if (done?.error) throw Problem.fromBody(done.error);
      if (done !== undefined) return;
      if (signal?.aborted === true)
        throw new Problem('service_timeout', 'The request was given up before the worker had answered.');
      if (Date.now() > until)
        throw new Problem(
          'service_timeout',
          'The worker did not answer in time: see GET /v1/workers, then try again.',
        );
      if (!(await gateway.workers.alive(worker)))
        throw new Problem('worker_lost', 'The worker stopped on the way: try again in a moment.');
      await hint.wait(pollMs);
    }
  } finally {
    signal?.removeEventListener('abort', hint.give);
    unlisten();
    if (!answered) await gateway.workers.send(worker, { kind: 'leave', operation }).catch(() => {});
  }
}
