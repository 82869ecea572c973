/**
 * Nobody waits for a used sandbox to be removed, but it must not take longer than this (API.md promises 2 s after a
 * cancel).
 */
const maxDelayMs = 500;
/** The worker counts as quiet when nothing has happened for this long. */
const quietMs = 20;
/** When this many are waiting, they are removed even if the worker is busy. */
const maxWaiting = 64;
const lookMs = 10;

type Waiting = { since: number; go: () => void };

/**
 * Removes used sandboxes when the worker has nothing more urgent to do. To remove one takes longer than a whole warm
 * run, so on a small node the next run would have to wait. No program runs any more in the sandboxes that wait here.
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
  /** Somebody waits until all that wait now are removed. */
  let flushing = 0;
  const removals = new Set<Promise<void>>();

  const now = () => performance.now();

  function look(): void {
    const at = now();
    if (options.busy()) busyAt = at;
    while (waiting.length > 0 && underWay < options.maxAtOnce) {
      const [first] = waiting;
      const due =
        stopped ||
        flushing > 0 ||
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

  async function disposeOf(remove: () => Promise<void>): Promise<void> {
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
  }

  return {
    /** Whether nothing has happened for a while and no sandbox waits to be removed. */
    quiet: () => waiting.length === 0 && underWay === 0 && now() - busyAt >= quietMs && !options.busy(),

    /** Calls `remove` when its turn comes. Settles as `remove` does. */
    dispose(remove: () => Promise<void>): Promise<void> {
      const removal = disposeOf(remove).finally(() => removals.delete(removal));
      removals.add(removal);
      return removal;
    },

    /** Resolves when all that wait now are removed. They do not wait any longer. */
    async flush(): Promise<void> {
      flushing += 1;
      look();
      try {
        await Promise.allSettled(removals);
      } finally {
        flushing -= 1;
      }
    },

    /** From now on everything is removed at once. */
    hurry(): void {
      stopped = true;
      look();
    },
  };
}
