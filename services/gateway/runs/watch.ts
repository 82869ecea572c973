import { isTerminal } from '../../../shared/run-states.ts';
import type { Gateway } from '../gateway.ts';
import { hasEnded } from '../run-looks.ts';
import type { RunEnd } from '../stores/run-end.ts';
import { type LoadParts, ownRecord } from './load.ts';

export type WatchParts = Pick<Gateway, 'endings' | 'keys' | 'lookAgain' | 'runs' | 'wakeups'>;

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
      // Looked at once it is listened to: an end between the two would be missed. Without Redis the next look finds it.
      await listening.catch(() => {});
      if (await hasEnded(gateway.runs, id)) return { id };
      return waitFor(gateway, id, promise, ms, signals);
    },
    stop: () => void listening.then((stop) => stop()).catch(() => {}),
  };
}

/** Waits until the tenant's run has ended, or the time is over, or the client has gone. Throws 404 for a run that is not the tenant's. */
export async function awaitEnd(
  gateway: WatchParts & LoadParts & Pick<Gateway, 'stopWaiting'>,
  tenant: string,
  id: string,
  ms: number,
  gone: AbortSignal,
): Promise<void> {
  const { status } = await ownRecord(gateway, tenant, id);
  if (isTerminal(status)) return;
  const watch = watchOther(gateway, id);
  try {
    await watch.ended(ms, [gone, gateway.stopWaiting.signal]);
  } finally {
    watch.stop();
  }
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
      forget();
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', stopped);
      resolve(found);
    };
    const stopped = () => done(undefined);
    const forget = gateway.lookAgain.at(id, () => done({ id }));
    const timer = setTimeout(stopped, Math.max(0, ms));
    for (const signal of signals) {
      if (signal.aborted) return stopped();
      signal.addEventListener('abort', stopped);
    }
    void end.then(done);
  });
}
