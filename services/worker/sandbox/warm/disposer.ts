/** Nobody waits for a used sandbox to be gone; but no longer than this (API.md promises 2 s after a cancel). */
const maxDelayMs = 500;
/** The worker counts as quiet when nothing has been going on for so long. */
const quietMs = 20;
/** With so many waiting they go whatever else there is to do. */
const maxWaiting = 64;
const lookMs = 10;

type Waiting = { since: number; go: () => void };

/**
 * Removes used sandboxes when the worker has nothing better to do. To remove one takes longer than a warm run
 * takes altogether: on a small node the next run would wait for it. What is waiting here has no program running in it.
 */
export function createDisposer(options: {
  busy(): boolean;
  wanted(): boolean;
  /** How many are removed at a time. */
  maxAtOnce: number;
}) {
  const waiting: Waiting[] = [];
  let underWay = 0;
  let busyAt = Number.NEGATIVE_INFINITY;
  let stopped = false;
  let looking = false;

  const now = () => performance.now();

  function look(): void {
    const at = now();
    if (options.busy()) busyAt = at;
    while (waiting.length > 0 && underWay < options.maxAtOnce) {
      const [first] = waiting;
      const due =
        stopped ||
        options.wanted() ||
        at - busyAt >= quietMs ||
        waiting.length > maxWaiting ||
        at - (first?.since ?? 0) >= maxDelayMs;
      if (!due) break;
      underWay += 1;
      waiting.shift()?.go();
    }
    if (waiting.length > 0) lookAgain();
  }

  function lookAgain(): void {
    if (looking) return;
    looking = true;
    setTimeout(() => {
      looking = false;
      look();
    }, lookMs);
  }

  return {
    /** Whether nothing has been going on for a while, and nothing waits to be removed. */
    quiet: () => waiting.length === 0 && underWay === 0 && now() - busyAt >= quietMs && !options.busy(),

    /** Runs `remove` in its turn; settles as it does. */
    async dispose(remove: () => Promise<void>): Promise<void> {
      busyAt = now();
      await new Promise<void>((go) => {
        waiting.push({ since: now(), go });
        lookAgain();
      });
      try {
        await remove();
      } finally {
        underWay -= 1;
        look();
      }
    },

    /** From now on everything goes at once. */
    hurry(): void {
      stopped = true;
      look();
    },
  };
}
