/** Who is sent away comes again after this at the latest; where many wait, later, so that their asking stays cheap. */
const longestMs = 30_000;
const msForEach = 10;
const longestOfAllMs = 300_000;
/** One that is so late has gone another way: its delivery has ended, or another notifier took it. */
const lateMs = 60_000;
/** Who gives back a place sooner than this is quick. */
const quickMs = 1_000;

export type Line = ReturnType<typeof createLine>;

/** Some places, and those who were sent away because all were taken, each until about the time when its turn comes. */
export function createLine(places: number, now: () => number) {
  let taken = 0;
  let finished = 0;
  let averageMs = 100;
  /** When each is to come again. */
  const waiting = new Map<string, number>();

  function sendAway(id: string, ms: number): number {
    const jittered = Math.round(ms * (0.75 + 0.5 * Math.random()));
    waiting.set(id, now() + jittered);
    return jittered;
  }

  return {
    taken: () => taken,
    waiting: () => waiting.size,
    full: () => taken >= places,
    /** Whether places are given back soon, so far. */
    quick: () => finished > 0 && averageMs < quickMs,

    /** Takes a place. The answer gives it back; `counts`: as one of those by which waits are reckoned. */
    take(): (counts: boolean) => void {
      const began = now();
      taken += 1;
      return (counts) => {
        taken -= 1;
        if (!counts) return;
        finished += 1;
        averageMs = averageMs * 0.8 + (now() - began) * 0.2;
      };
    },

    /** @returns in how many ms it is likely to get a place */
    putOff(id: string): number {
      const turns = Math.ceil((waiting.size + 1) / places);
      const mostMs = Math.min(longestOfAllMs, Math.max(longestMs, waiting.size * msForEach));
      return sendAway(id, Math.min(mostMs, 50 + turns * averageMs));
    },

    /** No place is of use at present: not before `ms`, and not all at once then. */
    putOffFor(id: string, ms: number): number {
      return sendAway(id, Math.max(ms, Math.min(longestOfAllMs, waiting.size * msForEach)));
    },

    cameBack(id: string): void {
      waiting.delete(id);
    },

    forgetLate(): void {
      const before = now() - lateMs;
      for (const [id, at] of waiting) if (at < before) waiting.delete(id);
    },
  };
}
