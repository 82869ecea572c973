import { isTerminal } from '../../../shared/run-states.ts';
import type { Gateway } from '../gateway.ts';
import type { RunEnd } from '../stores/run-end.ts';

export type WatchParts = Pick<Gateway, 'endings' | 'keys' | 'runs' | 'wakeups'>;

/** A message over pub/sub may be missed, so the run is also looked at this often. */
const pollMs = 1_000;

export type Watch = {
  /**
   * The run's end as soon as it has ended (or is gone); `undefined` when the time is over or one of the signals came.
   */
  ended(ms: number, signals: AbortSignal[]): Promise<RunEnd | undefined>;
  stop(): void;
};

/** Waits for the end of a run that is about to be stored with the channel of `gateway.endings`. */
export function watchRun(gateway: WatchParts, id: string): Watch {
  const { end, forget } = gateway.endings.expect(id);
  return {
    ended: (ms, signals) => waitFor(gateway, id, end, ms, signals),
    stop: forget,
  };
}

/** Waits for the end of a run that another request has stored. */
export function watchOther(gateway: WatchParts, id: string): Watch {
  const { promise, resolve } = Promise.withResolvers<RunEnd>();
  const listening = gateway.wakeups.listen(gateway.keys.wake(id), (message) => {
    if (message === 'finished') resolve({ id });
  });
  listening.catch(() => {});
  return {
    async ended(ms, signals) {
      if (await hasEnded(gateway, id)) return { id };
      return waitFor(gateway, id, promise, ms, signals);
    },
    stop: () => void listening.then((stop) => stop()).catch(() => {}),
  };
}

function waitFor(
  gateway: WatchParts,
  id: string,
  end: Promise<RunEnd>,
  ms: number,
  signals: AbortSignal[],
): Promise<RunEnd | undefined> {
  return new Promise((resolve) => {
    const done = (found: RunEnd | undefined) => {
      clearInterval(poll);
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', stopped);
      resolve(found);
    };
    const stopped = () => done(undefined);
    const timer = setTimeout(stopped, Math.max(0, ms));
    const poll = setInterval(async () => {
      if (await hasEnded(gateway, id)) done({ id });
    }, pollMs);
    for (const signal of signals) {
      if (signal.aborted) return stopped();
      signal.addEventListener('abort', stopped);
    }
    void end.then(done);
  });
}

async function hasEnded(gateway: WatchParts, id: string): Promise<boolean> {
  try {
    const status = await gateway.runs.status(id);
    return status === undefined || isTerminal(status);
  } catch {
    // Redis is away for a moment: the run is stored, so waiting goes on.
    return false;
  }
}
