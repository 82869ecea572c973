import type { Say } from '../parts/say.ts';

/** Something that runs until it is stopped, or crashes. */
export interface Stoppable {
  stop(graceMs?: number): Promise<void>;
}

export interface Supervised<T extends Stoppable> {
  /** The one that runs now, or ran last. */
  current: T;
  crashes: number;
  stop(graceMs?: number): Promise<void>;
}

const firstPauseMs = 250;
const longestPauseMs = 30_000;
/** What ran this long counts as healthy: the next crash starts over with the shortest pause. */
const healthyMs = 60_000;

/**
 * Starts something, and starts it again each time it crashes, after a pause that doubles up to half a minute: a program
 * that cannot run must not keep the machine busy trying.
 */
export async function supervise<T extends Stoppable>(
  name: string,
  start: (onCrash: () => void) => Promise<T>,
  say: Say,
): Promise<Supervised<T>> {
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  let restarting: Promise<void> = Promise.resolve();
  let pauseMs = firstPauseMs;
  let startedAt = Date.now();

  const startLater = () => {
    // A start that fails may speak twice, by its child's crash and by its own error: one new try is enough.
    if (stopping || timer !== undefined) return;
    if (Date.now() - startedAt > healthyMs) pauseMs = firstPauseMs;
    say(`${name} ended unexpectedly; starting it again in ${pauseMs / 1_000} s`);
    timer = setTimeout(() => {
      timer = undefined;
      restarting = again();
    }, pauseMs);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  };
  const onCrash = () => {
    supervised.crashes += 1;
    startLater();
  };
  const again = async () => {
    if (stopping) return;
    startedAt = Date.now();
    try {
      supervised.current = await start(onCrash);
    } catch (error) {
      say(`${name}: ${(error as Error).message}`);
      startLater();
    }
  };

  const supervised: Supervised<T> = {
    // Set just below: nothing can crash before it was started.
    current: undefined as unknown as T,
    crashes: 0,
    async stop(graceMs) {
      stopping = true;
      clearTimeout(timer);
      await restarting;
      await supervised.current.stop(graceMs);
    },
  };
  try {
    supervised.current = await start(onCrash);
  } catch (error) {
    // The first start is the caller's to judge: no trying again behind its back.
    stopping = true;
    clearTimeout(timer);
    throw error;
  }
  return supervised;
}
