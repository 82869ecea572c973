import type { ProblemBody } from '../../../shared/contracts/problem.ts';
import { newId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import type { OperationEvent } from '../../../shared/stores/operations.ts';
import type { WorkerCommand } from '../../../shared/stores/workers.ts';
import type { Gateway } from '../gateway.ts';
import { hintFrom } from '../hint.ts';
import { isStoreError } from '../http/store-errors.ts';

export type OperationParts = Pick<Gateway, 'stopWaiting' | 'keys' | 'operations' | 'wakeups' | 'workers'>;

const pollMs = 1_000;
const timeoutMs = 15 * 60_000;

export type Done = Extract<OperationEvent, { kind: 'done' }>;

/**
 * Hands a command to every live worker and follows it until each has said `done`, has died, or the time is over.
 * The operation goes on without us: nothing is undone when the client leaves.
 */
export async function startOperation(
  gateway: OperationParts,
  command: (operation: string) => WorkerCommand,
  gone: AbortSignal,
): Promise<AsyncGenerator<OperationEvent, void>> {
  const workers = await gateway.workers.list();
  if (workers.length === 0)
    throw new Problem('no_worker', 'No worker is alive to do this: start one, then try again.', {
      retryAfterSeconds: 5,
    });
  const operation = newId('pul');
  const ids = workers.map(({ id }) => id);
  await Promise.all(ids.map((id) => gateway.workers.send(id, command(operation))));
  return follow(gateway, operation, new Set(ids), gone);
}

async function* follow(
  gateway: OperationParts,
  operation: string,
  waiting: Set<string>,
  gone: AbortSignal,
): AsyncGenerator<OperationEvent, void> {
  const until = Date.now() + timeoutMs;
  const stopped = gateway.stopWaiting.signal;
  const hint = hintFrom(gateway.wakeups, gateway.keys.wake(operation));
  gone.addEventListener('abort', hint.give);
  stopped.addEventListener('abort', hint.give);
  let after = '0';
  let looked = Date.now();
  try {
    for (;;) {
      hint.forget();
      if (gone.aborted) return;
      const events = await orNothing(gateway.operations.read(operation, after));
      for (const { id, event } of events) {
        after = id;
        if (!waiting.has(event.worker)) continue;
        if (event.kind === 'done') waiting.delete(event.worker);
        yield event;
      }
      if (waiting.size === 0) return;
      if (events.length > 0) continue;
      if (Date.now() > until || stopped.aborted) {
        for (const worker of waiting) yield doneWith(worker, unfinished(stopped.aborted));
        return;
      }
      if (Date.now() - looked >= pollMs) {
        looked = Date.now();
        for (const worker of await orNothing(dead(gateway, waiting))) {
          waiting.delete(worker);
          yield doneWith(worker, new Problem('worker_lost', 'The worker stopped on the way: try again.'));
        }
        continue;
      }
      await hint.wait(pollMs);
    }
  } finally {
    gone.removeEventListener('abort', hint.give);
    stopped.removeEventListener('abort', hint.give);
    hint.end();
  }
}

/** Redis may not answer for a moment: the workers go on, and so do we. */
async function orNothing<T>(reading: Promise<T[]>): Promise<T[]> {
  try {
    return await reading;
  } catch (error) {
    if (isStoreError(error)) return [];
    throw error;
  }
}

async function dead(gateway: OperationParts, workers: Set<string>): Promise<string[]> {
  const all = [...workers];
  const alive = await Promise.all(all.map((id) => gateway.workers.alive(id)));
  return all.filter((_, index) => !alive[index]);
}

const doneWith = (worker: string, problem: Problem): Done => ({
  kind: 'done',
  worker,
  digest: null,
  error: problem.toBody(),
});

const unfinished = (closing: boolean) =>
  closing
    ? new Problem('store_unavailable', 'The gateway is stopping; the workers go on: ask again in a moment.')
    : new Problem('pull_timeout', 'The worker did not finish in 15 minutes; it may still: look again later.');

/** The problem of an operation that failed on every worker; `undefined` if it worked on one. */
export function commonProblem(
  results: { worker: string; error: ProblemBody | null }[],
): ProblemBody | undefined {
  const errors = results.map(({ error }) => error);
  const [first] = errors;
  if (first === undefined || first === null || errors.includes(null)) return undefined;
  if (errors.every((error) => error?.code === first.code)) return first;
  const each = results.map(({ worker, error }) => `${worker}: ${error?.code}`).join('; ');
  return new Problem('pull_failed', `It failed on every worker, in different ways (${each}).`).toBody();
}
