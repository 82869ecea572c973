import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, ConnectionError, InterruptedError } from '../errors.ts';

export type RetryOptions = {
  note?: (text: string) => void;
  /** Whether to try again after a lost connection. The server may have acted on the request already. */
  onLoss?: boolean;
  /** The waits between the tries after a lost connection. There are as many tries as waits. */
  lossWaitsMs?: readonly number[];
  /** Ends the wait between two tries. A request that is under way is not aborted, because its outcome matters. */
  interrupt?: AbortSignal;
};

// Long enough for a restart of the gateway. Short enough for a user who forgot to start one.
const defaultLossWaitsMs = [200, 600, 1200];
const overloadTries = 5;
const longestWaitMs = 60_000;

/** Repeats a request after a lost connection, and after 429/503 as long as the server asks for it. */
export async function withRetry<T>(exchange: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { note = () => {}, onLoss = true, lossWaitsMs = defaultLossWaitsMs } = options;
  let losses = 0;
  let refusals = 0;
  while (true) {
    try {
      return await exchange();
    } catch (error) {
      const lost = onLoss ? isLoss(error) : false;
      const refusedMs = refusals < overloadTries ? refusedFor(error) : undefined;
      if (refusedMs !== undefined && refusedMs <= longestWaitMs) {
        refusals += 1;
        const title = error instanceof ApiError ? error.problem.title : '';
        note(`${title}; trying again in ${refusedMs / 1000} s (${refusals} of ${overloadTries}).`);
        await pause(refusedMs, options.interrupt, losses > 0);
        continue;
      }
      const waitMs = lost ? lossWaitsMs[losses] : undefined;
      if (waitMs === undefined) throw error;
      if (losses === 0) note(`${(error as Error).message.split('. ')[0]}; trying again.`);
      losses += 1;
      await pause(waitMs, options.interrupt, true);
    }
  }
}

/** The connection failed, or a proxy reports that the server behind it is gone. */
export function isLoss(error: unknown): boolean {
  if (error instanceof ConnectionError) return !error.isFinal;
  return error instanceof ApiError && /^http_50[234]$/.test(error.problem.code);
}

/** How long the server asks us to wait. `undefined` if it does not ask. */
function refusedFor(error: unknown): number | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const { status, code } = error.problem;
  // Our own first try, whose answer was lost, is still being handled.
  if (code === 'idempotency_in_progress') return error.retryAfterMs ?? 500;
  return status === 429 || status === 503 ? error.retryAfterMs : undefined;
}

async function pause(ms: number, interrupt: AbortSignal | undefined, mayHaveActed: boolean): Promise<void> {
  try {
    await sleep(ms, undefined, interrupt ? { signal: interrupt } : {});
  } catch {
    throw new InterruptedError(
      mayHaveActed
        ? 'Interrupted while the connection was lost: the request may have been accepted, see `runlet ps`.'
        : 'Interrupted before the server accepted the request.',
    );
  }
}
