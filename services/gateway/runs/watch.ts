import { setTimeout as sleep } from 'node:timers/promises';
import { isTerminal } from '../../../shared/run-states.ts';
import type { Gateway } from '../gateway.ts';

/** How often a waiter looks by itself: a hint over pub/sub may be missed. */
const pollMs = 1_000;
/** How long a request stays for its subscription when Redis is slow; polling covers for it. */
const subscribeMs = 500;

/** Listens for the end of a run; begun before the run is stored, so that no end is missed however soon it comes. */
export function watchRun(gateway: Gateway, id: string) {
  let finished = () => {};
  const hint = new Promise<void>((resolve) => {
    finished = resolve;
  });
  const listening = gateway.wakeups.listen(gateway.keys.wake(id), (message) => {
    if (message === 'finished') finished();
  });
  listening.catch(() => {});

  return {
    ready: (): Promise<unknown> => Promise.race([listening, sleep(subscribeMs, undefined, { ref: false })]),

    /** True as soon as the run has ended (or is gone); false when the time is over or the signal came. */
    async ended(ms: number, signal: AbortSignal, lookFirst: boolean): Promise<boolean> {
      if (lookFirst && (await hasEnded(gateway, id))) return true;
      const until = performance.now() + ms;
      const stopped = new Promise<'stopped'>((resolve) => {
        if (signal.aborted) resolve('stopped');
        signal.addEventListener('abort', () => resolve('stopped'), { once: true });
      });
      for (;;) {
        const left = until - performance.now();
        if (left <= 0) return false;
        const timer = new AbortController();
        const first = await Promise.race([
          hint.then(() => 'finished' as const),
          stopped,
          sleep(Math.min(left, pollMs), 'poll' as const, { signal: timer.signal }).catch(
            () => 'poll' as const,
          ),
        ]);
        timer.abort();
        if (first === 'finished') return true;
        if (first === 'stopped') return false;
        if (await hasEnded(gateway, id)) return true;
      }
    },

    stop(): void {
      listening.then((stop) => stop()).catch(() => {});
    },
  };
}

async function hasEnded(gateway: Gateway, id: string): Promise<boolean> {
  try {
    const status = await gateway.runs.status(id);
    return status === undefined || isTerminal(status);
  } catch {
    // Redis is away for a moment: the run is stored, so waiting goes on.
    return false;
  }
}
