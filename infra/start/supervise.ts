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
/** What has run this long counts as healthy. After its next crash the pause is the shortest one again. */
const healthyMs = 60_000;

/**
 * Starts something, and starts it again each time it crashes. The pause before a start doubles each time, up to half a
 * minute, so that a program that cannot run does not keep the machine busy.
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
    // A failed start may be reported twice, by the crash of its child and by its own error. One new try is enough.
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
    // It is set just below, and nothing can crash before it was started.
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
    // If the first start fails, the caller decides what to do. So there is no new try here.
    stopping = true;
    clearTimeout(timer);
    throw error;
  }
  return supervised;
}
