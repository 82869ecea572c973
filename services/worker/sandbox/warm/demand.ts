/** Time constants of the demand: the rate follows within ten seconds, a burst is remembered for minutes. */
const rateMs = 10_000;
const burstMs = 120_000;
/**
 * A sandbox that takes so long to make (the Engine's always does) is kept for each run of a burst; of those that are made sooner fewer are
 * kept.
 */
const slowMs = 100;
/** If nobody asked for this long, nothing is kept. */
const idleMs = 600_000;

export type Demand = ReturnType<typeof createDemand>;

/** Measures how many sandboxes of one kind are needed. */
export function createDemand(now: () => number) {
  /** Requests in a second. It decays. */
  let rate = 0;
  /** The most requests within one second. It decays. */
  let burst = 0;
  let inSecond = 0;
  let secondAt = now();
  let seenAt = now();

  return {
    /**
     * Records that one was needed.
     *
     * @param waitedMs how long whoever needs it has waited before that: those of one burst came at once, however long the last of them waited
     */
    note(waitedMs: number): void {
      const at = now();
      const elapsed = at - seenAt;
      seenAt = at;
      rate = rate * Math.exp(-elapsed / rateMs) + 1000 / rateMs;
      if (at - waitedMs - secondAt >= 1000) {
        secondAt = at - waitedMs;
        inSecond = 0;
      }
      inSecond += 1;
      burst = Math.max(burst * Math.exp(-elapsed / burstMs), inSecond);
    },

    /**
     * How many to keep if one takes this long to make: the rate × that time with half as much again, or the latest
     * burst, whichever is more. Of a burst the share that the making is of `slowMs`: who finds none waits for so much less.
     */
    wanted(makeMs: number): number {
      const elapsed = now() - seenAt;
      if (rate === 0 || elapsed > idleMs) return 0;
      const rateNow = rate * Math.exp(-elapsed / rateMs);
      const burstNow = burst * Math.exp(-elapsed / burstMs);
      const share = Math.min(1, makeMs / slowMs);
      return Math.max(1, Math.ceil((rateNow * makeMs * 1.5) / 1000), Math.ceil(burstNow * share));
    },

    /** The time of the latest request. */
    seenAt: () => seenAt,
  };
}
