/** Time constants of the demand: the rate follows ten seconds, a burst is remembered for minutes. */
const rateMs = 10_000;
const burstMs = 120_000;
/** Nobody asked for so long: nothing is kept. */
const idleMs = 600_000;

export type Demand = ReturnType<typeof createDemand>;

/** How much sandboxes of one kind are wanted. */
export function createDemand(now: () => number) {
  /** A second, decaying. */
  let rate = 0;
  /** The most that were wanted within a second, decaying. */
  let burst = 0;
  let inSecond = 0;
  let secondAt = now();
  let seenAt = now();

  return {
    /** One was wanted. */
    note(): void {
      const at = now();
      const elapsed = at - seenAt;
      seenAt = at;
      rate = rate * Math.exp(-elapsed / rateMs) + 1000 / rateMs;
      if (at - secondAt >= 1000) {
        secondAt = at;
        inSecond = 0;
      }
      inSecond += 1;
      burst = Math.max(burst * Math.exp(-elapsed / burstMs), inSecond);
    },

    /** How many it takes where one takes so long to make: its rate × that time with half as much again, or the latest burst, whichever is more. */
    wanted(makeMs: number): number {
      const elapsed = now() - seenAt;
      if (rate === 0 || elapsed > idleMs) return 0;
      const rateNow = rate * Math.exp(-elapsed / rateMs);
      const burstNow = burst * Math.exp(-elapsed / burstMs);
      return Math.max(1, Math.ceil((rateNow * makeMs * 1.5) / 1000), Math.ceil(burstNow));
    },

    /** When one was wanted last. */
    seenAt: () => seenAt,
  };
}
