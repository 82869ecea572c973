import type { Wakeups } from '../../shared/wakeups.ts';

export type Hint = ReturnType<typeof createHint>;

/**
 * Wakes a loop that looks for news again and again. It calls `forget` before each look: a hint that comes while it looks then ends the
 * next wait at once. Hints may be missed (Redis keeps none), so every wait has a time limit.
 */
export function createHint() {
  let given = false;
  let wake = () => {};
  return {
    give(): void {
      given = true;
      wake();
    },

    forget(): void {
      given = false;
    },

    /** Until the next hint, or for `ms`. */
    wait(ms: number): Promise<void> {
      if (given) return Promise.resolve();
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          wake = () => {};
          resolve();
        };
        const timer = setTimeout(done, ms);
        wake = done;
      });
    },
  };
}

/** A hint that is given by the messages of a channel, until `end`. Without a subscription (Redis is away) every wait takes its full time. */
export function hintFrom(wakeups: Wakeups, channel: string): Hint & { end(): void } {
  const hint = createHint();
  const listening = wakeups.listen(channel, hint.give);
  listening.catch(() => {});
  return { ...hint, end: () => void listening.then((unlisten) => unlisten()).catch(() => {}) };
}
