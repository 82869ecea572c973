/** Who is sent away comes again after this at the latest; where many wait, later, so that their asking stays cheap. */
const longestMs = 30_000;
const msForEach = 10;
const longestOfAllMs = 300_000;
/** One that is so late has gone another way: its delivery has ended, or another notifier took it. */
const lateMs = 60_000;
/** Who was called and is not there after this has gone another way. */
const comesWithinMs = 2_000;
/** Who gives back a place sooner than this is quick. */
const quickMs = 1_000;
/** Where places are given back as soon as this, the next ones wait beside them, and no longer than this. */
const briskMs = 100;
const besideMs = 500;

/** Gives a place back. `counts`: its time is one of those by which waits are reckoned. */
export type GiveBack = (counts: boolean) => void;

export type Line = ReturnType<typeof createLine>;

/** How many wait beside the places of all lines together. */
export type Room = { free: number };

/**
 * Some places, and those for whom there is none:
 *
 *   new       → has a place | waits beside the places, where that is short | is sent away
 *   sent away → called, when places are given back | comes again when its time is over
 *
 * Calling is what keeps the places taken: one endpoint got 67 deliveries a second when all who were sent away came by the clock.
 */
export function createLine(places: number, room: Room, now: () => number) {
  let taken = 0;
  let finished = 0;
  let averageMs = 100;
  const beside = new Set<(place: GiveBack) => void>();
  /** Who was sent away, and when each comes again. */
  const away = new Map<string, number>();
  /** Who was called, or is new, and is on the way since then. */
  const coming = new Map<string, number>();

  const brisk = () => finished > 0 && averageMs < briskMs;

  /** How many may wait beside the places now: where it is brisk, one for each, if there is room. */
  const maxBeside = () => (brisk() ? Math.min(places, beside.size + room.free) : 0);

  /** Whether those who have a place, or wait for one, or are on the way are as many as can be dealt with. */
  function enough(): boolean {
    for (const [id, at] of coming) {
      if (at > now() - comesWithinMs) break;
      coming.delete(id);
    }
    return taken + beside.size + coming.size >= places + maxBeside();
  }

  function sendAway(id: string, ms: number): number {
    const jittered = Math.round(ms * (0.75 + 0.5 * Math.random()));
    away.set(id, now() + jittered);
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
      const [next] = beside;
      next?.(take());
    };
  }

  function waitBeside(): Promise<GiveBack | undefined> {
    return new Promise((resolve) => {
      const leave = (place?: GiveBack) => {
        clearTimeout(timer);
        beside.delete(leave);
        room.free += 1;
        resolve(place);
      };
      const timer = setTimeout(() => {
        // It was brisk, and is not: nobody else is to wait until places are given back again.
        averageMs = Math.max(averageMs, besideMs);
        leave();
      }, besideMs);
      beside.add(leave);
      room.free -= 1;
    });
  }

  return {
    taken: () => taken,
    /** Whether places are given back soon, so far. */
    quick: () => finished > 0 && averageMs < quickMs,

    /** A place, at once or very soon; `undefined` when there is none. */
    async enter(): Promise<GiveBack | undefined> {
      if (taken < places) return take();
      return beside.size < maxBeside() ? waitBeside() : undefined;
    },

    /** @returns in how many ms it is likely to get a place, if nobody calls it before */
    putOff(id: string): number {
      const turns = Math.ceil((away.size + 1) / places);
      const maxMs = Math.min(longestOfAllMs, Math.max(longestMs, away.size * msForEach));
      return sendAway(id, Math.min(maxMs, 50 + turns * averageMs));
    },

    /** No place is of use at present: not before `ms`, and not all at once then. */
    putOffFor(id: string, ms: number): number {
      return sendAway(id, Math.max(ms, Math.min(longestOfAllMs, away.size * msForEach)));
    },

    /** @returns in how many ms a new one had better come: it does not push in before those who were sent away */
    expect(id: string): number {
      if (enough()) return this.putOff(id);
      coming.set(id, now());
      return 0;
    },

    /** Who was sent away first, and is to come now. */
    *call(): Generator<string> {
      for (const id of away.keys()) {
        if (enough()) return;
        away.delete(id);
        coming.set(id, now());
        yield id;
      }
    },

    cameBack(id: string): void {
      away.delete(id);
      coming.delete(id);
    },

    forgetLate(): void {
      const before = now() - lateMs;
      for (const [id, at] of away) if (at < before) away.delete(id);
    },
  };
}
