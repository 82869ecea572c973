/** A delivery that is deferred is told to come back after this at most. Where many are deferred it is later, so that they cost little. */
const maxDeferMs = 30_000;
const deferMsForEach = 10;
const maxDeferOfManyMs = 300_000;
/** One that is so late does not come back: it has ended, or another notifier took it. */
const lateMs = 60_000;
/** Neither does one that was recalled, and is not there after this. */
const recallMs = 2_000;
/** A place that is given back sooner than this, on average: the receiver is quick. */
const quickMs = 1_000;
/** Sooner than this, a few deliveries may wait for a place instead of being deferred; no longer than `maxWaitMs`. */
const veryQuickMs = 100;
const maxWaitMs = 500;

/** Gives a place back. `counts`: how long it was taken says how long others will have to wait. */
export type GiveBack = (counts: boolean) => void;

export type Places = ReturnType<typeof createPlaces>;

/** How many more deliveries may wait for a place, of all receivers together. */
export type WaitingRoom = { free: number };

/**
 * A number of places, and the deliveries for which there is none:
 *
 *   new       → has a place | waits for one, where that is short | is deferred
 *   deferred  → recalled, when places are given back | comes back when its time is over
 *
 * Recalling is what keeps the places taken: without it, when deferred deliveries came back by the clock alone, one endpoint got only 67
 * a second (measured).
 */
export function createPlaces(count: number, room: WaitingRoom, now: () => number) {
  let taken = 0;
  let finished = 0;
  let averageMs = 100;
  const waiting = new Set<(place: GiveBack) => void>();
  /** Which deliveries are deferred, and when each comes back. */
  const deferred = new Map<string, number>();
  /** Which were recalled, or are new, and are on their way since then. */
  const coming = new Map<string, number>();

  const isVeryQuick = () => finished > 0 && averageMs < veryQuickMs;

  /** How many may wait now: where places are given back very soon, one for each place, if there is room. */
  const maxWaiting = () => (isVeryQuick() ? Math.min(count, waiting.size + room.free) : 0);

  /** Whether those that have a place, wait for one or are on their way are as many as can be dealt with. */
  function isFull(): boolean {
    for (const [id, at] of coming) {
      if (at > now() - recallMs) break;
      coming.delete(id);
    }
    return taken + waiting.size + coming.size >= count + maxWaiting();
  }

  function deferBy(id: string, ms: number): number {
    const jittered = Math.round(ms * (0.75 + 0.5 * Math.random()));
    deferred.set(id, now() + jittered);
    return jittered;
  }

  function take(): GiveBack {
    const began = now();
    taken += 1;
    return (counts) => {
      taken -= 1;
      if (counts) {
        finished += 1;
        averageMs = averageMs * 0.8 + (now() - began) * 0.2;
      }
      const [next] = waiting;
      next?.(take());
    };
  }

  function waitForPlace(): Promise<GiveBack | undefined> {
    return new Promise((resolve) => {
      const leave = (place?: GiveBack) => {
        clearTimeout(timer);
        waiting.delete(leave);
        room.free += 1;
        resolve(place);
      };
      const timer = setTimeout(() => {
        // The receiver has become slow: no other delivery is to wait until places are given back again.
        averageMs = Math.max(averageMs, maxWaitMs);
        leave();
      }, maxWaitMs);
      waiting.add(leave);
      room.free -= 1;
    });
  }

  return {
    taken: () => taken,
    /** Whether places have been given back soon so far. */
    isQuick: () => finished > 0 && averageMs < quickMs,

    /** A place, at once or very soon; `undefined` when there is none. */
    async enter(): Promise<GiveBack | undefined> {
      if (taken < count) return take();
      return waiting.size < maxWaiting() ? waitForPlace() : undefined;
    },

    /** @returns in how many ms the delivery is likely to get a place, if it is not recalled before */
    defer(id: string): number {
      const turns = Math.ceil((deferred.size + 1) / count);
      const maxMs = Math.min(maxDeferOfManyMs, Math.max(maxDeferMs, deferred.size * deferMsForEach));
      return deferBy(id, Math.min(maxMs, 50 + turns * averageMs));
    },

    /** For while a place would be of no use: not before `ms`, and then not all at once. */
    deferFor(id: string, ms: number): number {
      return deferBy(id, Math.max(ms, Math.min(maxDeferOfManyMs, deferred.size * deferMsForEach)));
    },

    /** @returns in how many ms a new delivery should come: it does not go before those that are deferred */
    expect(id: string): number {
      if (isFull()) return this.defer(id);
      coming.set(id, now());
      return 0;
    },

    /** Takes deferred deliveries back, the one first that was deferred first, as long as there is room. */
    *recall(): Generator<string> {
      for (const id of deferred.keys()) {
        if (isFull()) return;
        deferred.delete(id);
        coming.set(id, now());
        yield id;
      }
    },

    cameBack(id: string): void {
      deferred.delete(id);
      coming.delete(id);
    },

    forgetLate(): void {
      const before = now() - lateMs;
      for (const [id, at] of deferred) if (at < before) deferred.delete(id);
    },
  };
}
