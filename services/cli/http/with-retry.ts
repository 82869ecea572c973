import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, ConnectionError, InterruptedError } from '../errors.ts';

export type RetryOptions = {
  note?: (text: string) => void;
  /** Whether to try again after a lost connection, when the server may have acted already. */
  onLoss?: boolean;
  /** Waits between the tries after a lost connection; as many tries as there are waits. */
  lossWaitsMs?: readonly number[];
  /** Ends a wait between two tries; an exchange under way is let be, its outcome matters. */
  interrupt?: AbortSignal;
};

// Long enough for a gateway that restarts, short enough for someone who forgot to start one.
const defaultLossWaitsMs = [200, 600, 1200];
const overloadTries = 5;
const longestWaitMs = 60_000;

/** Tries again what is worth it: lost connections, and 429/503 for as long as the server asked. */
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

/** A connection that failed, or a proxy that says the server behind it is gone. */
export function isLoss(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  return error instanceof ApiError && /^http_50[234]$/.test(error.problem.code);
}

/** How long the server asks to wait, if it asks for patience at all. */
function refusedFor(error: unknown): number | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const { status, code } = error.problem;
  // Our own first try, whose answer was lost, is still under way.
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
