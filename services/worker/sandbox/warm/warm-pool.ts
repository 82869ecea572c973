import type { Log } from '../../../../shared/log.ts';
import { Problem } from '../../../../shared/problems.ts';
import { type Entry, newShelf, type Shelf, type Taken, type WarmProfile } from './shelf.ts';

export type WarmPoolOptions = {
  newId(): string;
  /**
   * The most sandboxes that are idle or being made, of all profiles.
   */
  max: number;
  /** The most memory that they take together. */
  maxBytes: number;
  /** Whether the engine has more urgent work. Then the pool makes one a second at the most. */
  busy(): boolean;
  /** Whether a sandbox is being made for a run that found none here. */
  opening(): boolean;
  /** Whether the machine is short of memory. Then the pool removes its idle sandboxes and does not grow. */
  pressed(): boolean;
  log: Log;
};

const tickMs = 50;
/**
 * The pool grows at this pace while the engine is busy. It does not start at once, so that a few runs in a row finish
 * without a start at the same time.
 */
const trickleMs = 1_000;
/** Two starts at a time slow each other down. The pool lets a run's start go first, but not for ever. */
const giveWayMs = 5_000;
/**
 * The wait after the first failure. It doubles after each further one. After `maxFailures` in a row a kind is given up:
 * what has failed for five minutes will go on failing, until something changes (see `reconsider`), or until nobody has
 * asked for ten minutes and then somebody does.
 */
const afterFailureMs = 10_000;
const maxFailures = 6;
const maxShelves = 256;

/**
 * Sandboxes that are made before anybody asks. Each is used once: a sandbox that was taken never comes back. How many
 * there are of a kind depends on the demand (demand.ts), within `max` and `maxBytes` for all together; see `shares`.
 */
export function createWarmPool(options: WarmPoolOptions) {
  const { log } = options;
  const shelves = new Map<string, Shelf>();
  /** The ids of sandboxes that are idle, being made or in use. Their containers are no orphans. */
  const held = new Set<string>();
  let making = 0;
  let madeAt = 0;
  let quietAt = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const underWay = new Set<Promise<void>>();
  /** Ids of images of which no sandbox is kept for now. */
  const aside = new Set<string>();

  const now = () => performance.now();
  /** By the driver's name, how many it is making. */
  const makingBy = new Map<string, number>();
  const idleCount = () => [...shelves.values()].reduce((sum, shelf) => sum + shelf.idle.length, 0);

  function shelfFor(profile: WarmProfile): Shelf {
    let shelf = shelves.get(profile.key);
    if (shelf === undefined) {
      shelf = newShelf(profile, now);
      shelves.set(profile.key, shelf);
    }
    // The newest profile has the newest limits.
    shelf.profile = profile;
    return shelf;
  }

  const target = ({ pinned, demand, makeMs }: Shelf) => Math.max(pinned ? 1 : 0, demand.wanted(makeMs));

  /**
   * How many sandboxes each kind shall have. If the whole demand is more than the pool may hold, a kind that needs no
   * more than an equal share gets all it needs, and the others share the rest equally (max-min fairness). So the images
   * of a minute ago leave room for those that are used now.
   */
  function shares(): Map<Shelf, number> {
    let left = options.max;
    let leftBytes = options.maxBytes;
    const wanted = [...shelves.values()]
      .map((shelf) => ({ shelf, count: target(shelf) }))
      .filter(({ count }) => count > 0)
      // If there is not one for each kind, the kinds that were needed last get one.
      .sort((a, b) => b.shelf.demand.seenAt() - a.shelf.demand.seenAt())
      .slice(0, left)
      .sort((a, b) => a.count - b.count);
    return new Map(
      wanted.map(({ shelf, count }, at) => {
        const kinds = wanted.length - at;
        const { idleBytes } = shelf.profile;
        const share = Math.min(count, Math.floor(left / kinds), Math.floor(leftBytes / kinds / idleBytes));
        left -= share;
        leftBytes -= share * idleBytes;
        return [shelf, share];
      }),
    );
  }

  const isAside = ({ profile }: Shelf) => aside.has(profile.imageId);

  /** Sandboxes that are being made and that no run waits for. */
  const unclaimed = (shelf: Shelf) => shelf.making - shelf.waiting.length;

  function destroy(entry: Entry): void {
    const removal = entry.sandbox
      .remove()
      .catch((error: Error) => log.warn({ warm: entry.id, reason: error.message }, 'not removed'))
      // If anything is left of it after this, the reaper removes it.
      .finally(() => {
        held.delete(entry.id);
        underWay.delete(removal);
      });
    underWay.add(removal);
  }

  /** Removes the oldest idle sandboxes of the kinds that have more than `keep` says. */
  function shed(count: number, keep: (shelf: Shelf) => number): void {
    const spare = [...shelves.values()].flatMap((shelf) =>
      shelf.idle.slice(0, Math.max(0, shelf.idle.length - keep(shelf))).map((entry) => ({ shelf, entry })),
    );
    for (const { shelf, entry } of spare.sort((a, b) => a.entry.since - b.entry.since).slice(0, count)) {
      shelf.idle.splice(shelf.idle.indexOf(entry), 1);
      destroy(entry);
    }
  }

  async function make(shelf: Shelf): Promise<void> {
    const id = options.newId();
    const began = now();
    let entry: Entry | undefined;
    const { driver } = shelf.profile;
    const count = (by: number) => makingBy.set(driver.name, (makingBy.get(driver.name) ?? 0) + by);
    making += 1;
    count(1);
    shelf.making += 1;
    madeAt = began;
    held.add(id);
    try {
      const sandbox = await shelf.profile.make(id);
      entry = { id, sandbox, since: now(), driver };
      if (shelf.waiting.length === 0) await shelf.profile.warmUp(sandbox);
      shelf.makeMs = shelf.makeMs * 0.7 + (now() - began) * 0.3;
      shelf.failures = 0;
      hand(shelf, entry);
    } catch (error) {
      if (entry === undefined) held.delete(id);
      else destroy(entry);
      putOff(shelf, error as Error);
    } finally {
      making -= 1;
      count(-1);
      shelf.making -= 1;
      // One failed, so one run too many waits. The last to come makes its own sandbox.
      while (shelf.waiting.length > shelf.making) shelf.waiting.pop()?.(undefined);
    }
  }

  /** Logged at the first failure and at the last one, but not in between. */
  function putOff(shelf: Shelf, error: Error): void {
    // If the engine is away, the failure says nothing about this kind of sandbox.
    const isAway = error instanceof Problem && error.code === 'engine_unavailable';
    shelf.failures = Math.min(shelf.failures + 1, isAway ? maxFailures - 1 : maxFailures);
    const isGivenUp = shelf.failures === maxFailures;
    shelf.notBefore = isGivenUp
      ? Number.POSITIVE_INFINITY
      : now() + afterFailureMs * 2 ** (shelf.failures - 1);
    const { image, isolation } = shelf.profile;
    const told = { image, isolation, reason: error.message };
    if (isGivenUp) log.warn(told, 'sandboxes of this kind are made ahead no more, until something changes');
    else if (shelf.failures === 1) log.warn(told, 'sandbox could not be made ahead');
  }

  /** Gives a sandbox to the run that has waited longest. If none waits, the sandbox is kept. */
  function hand(shelf: Shelf, entry: Entry): void {
    const waiter = shelf.waiting.shift();
    if (waiter !== undefined) waiter(entry);
    else if (stopped || isAside(shelf)) destroy(entry);
    else shelve(shelf, entry);
  }

  function shelve(shelf: Shelf, entry: Entry): void {
    shelf.idle.push(entry);
    void entry.sandbox.session.closed.then(() => {
      const at = shelf.idle.indexOf(entry);
      if (at < 0) return;
      shelf.idle.splice(at, 1);
      destroy(entry);
    });
  }

  function tick(): void {
    if (stopped) return;
    for (const [key, shelf] of shelves) {
      if (target(shelf) === 0 && shelf.idle.length === 0 && shelf.making === 0) shelves.delete(key);
    }
    if (options.pressed()) {
      shed(1, () => 0);
      return;
    }
    const share = shares();
    shed(options.max, (shelf) => share.get(shelf) ?? 0);
    const at = now();
    const busy = options.busy();
    if (!busy) quietAt = at;
    const wait = options.opening() ? giveWayMs : trickleMs;
    if (busy && (making > 0 || at - Math.max(madeAt, quietAt) < wait)) return;
    const isFree = ({ profile: { driver } }: Shelf) =>
      (makingBy.get(driver.name) ?? 0) < (busy ? 1 : driver.pace.making);
    for (;;) {
      const next = [...shelves.values()]
        .map((shelf) => ({ shelf, lacks: (share.get(shelf) ?? 0) - shelf.idle.length - unclaimed(shelf) }))
        .filter(({ shelf, lacks }) => lacks > 0 && shelf.notBefore <= at && isFree(shelf) && !isAside(shelf))
        // The kind with the fewest idle ones first, then the kind that lacks most.
        .sort((a, b) => a.shelf.idle.length - b.shelf.idle.length || b.lacks - a.lacks)[0];
      if (next === undefined || idleCount() + making >= options.max) return;
      const done = make(next.shelf).finally(() => {
        underWay.delete(done);
        tick();
      });
      underWay.add(done);
    }
  }

  return {
    /** Also after it was stopped. */
    start(): void {
      stopped = false;
      clearInterval(timer);
      timer = setInterval(tick, tickMs);
    },

    /**
     * A sandbox that is ready, or none. Records that one was needed, by somebody who has waited so long already. Whoever takes it removes it
     * and then calls `forget`.
     */
    take(profile: WarmProfile, waitedMs = 0): Taken | undefined {
      if (stopped) return undefined;
      if (!shelves.has(profile.key) && shelves.size >= maxShelves) return undefined;
      const shelf = shelfFor(profile);
      shelf.demand.note(waitedMs);
      // The newest, because its pages are the most likely to be still in memory.
      return shelf.idle.pop();
    },

    /** How many are ready. */
    count: (key: string): number => (stopped ? 0 : (shelves.get(key)?.idle.length ?? 0)),

    /**
     * For a run for which `take` had none: the next sandbox that becomes ready. That is sooner than a new one, and it
     * saves the engine a second start at the same time. Returns none if none is being made, or if it fails.
     */
    async next(key: string): Promise<(Taken & { waited: boolean }) | undefined> {
      const shelf = shelves.get(key);
      if (stopped || shelf === undefined) return undefined;
      const ready = shelf.idle.pop();
      if (ready !== undefined) return { ...ready, waited: false };
      if (unclaimed(shelf) === 0) return undefined;
      const made = await new Promise<Taken | undefined>((resolve) => shelf.waiting.push(resolve));
      return made && { ...made, waited: true };
    },

    /**
     * Keeps at least one of each of these, even without demand, and none of the others without demand. All are set in
     * one step: if a tick found some of them unpinned, it would remove their sandboxes.
     */
    pinOnly(profiles: WarmProfile[]): void {
      for (const shelf of shelves.values()) shelf.pinned = false;
      for (const profile of profiles) shelfFor(profile).pinned = true;
    },

    /**
     * Images, runtimes or the engine have changed, or one of this kind was made for a run. What failed before may work
     * now.
     */
    reconsider(key?: string): void {
      const some = key === undefined ? shelves.values() : [shelves.get(key)];
      for (const shelf of some)
        if (shelf !== undefined && shelf.failures > 0) Object.assign(shelf, { failures: 0, notBefore: 0 });
    },

    /**
     * Removes the sandboxes of an image and keeps none while it is being removed. Those that runs have stay. If it was
     * removed, the pool forgets that it was wanted.
     */
    async setAside(imageId: string, removal: () => Promise<boolean>): Promise<boolean> {
      aside.add(imageId);
      const own = () => [...shelves.values()].filter(({ profile }) => profile.imageId === imageId);
      try {
        for (const shelf of own()) for (const entry of shelf.idle.splice(0)) destroy(entry);
        while (own().some((shelf) => shelf.making > 0)) await Promise.race(underWay);
        await Promise.all(underWay);
        const removed = await removal();
        if (removed)
          for (const { profile, making: ofIt } of own()) if (ofIt === 0) shelves.delete(profile.key);
        return removed;
      } finally {
        aside.delete(imageId);
      }
    },

    forget(id: string): void {
      held.delete(id);
    },

    holds: (id: string) => held.has(id),

    picture(): { image: string; isolation: string; network: string; count: number }[] {
      return [...shelves.values()]
        .filter(({ idle }) => idle.length > 0)
        .map(({ profile: { image, isolation }, idle }) => ({
          image,
          isolation,
          network: 'none',
          count: idle.length,
        }));
    },

    /** Removes what is idle and waits for what is being made. */
    async stop(): Promise<void> {
      stopped = true;
      clearInterval(timer);
      for (const shelf of shelves.values()) for (const entry of shelf.idle.splice(0)) destroy(entry);
      while (stopped && underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}
