import type { Gateway } from '../gateway.ts';

export type DeathWatchParts = Pick<Gateway, 'workers'>;

/** How long each of these workers has been dead; nothing for those that live. */
export function createDeathWatch(gateway: DeathWatchParts) {
  // Since when this gateway has not found them: nothing else is recorded of a worker that left for good.
  const missed = new Map<string, number>();

  return async (ids: ReadonlySet<string>, now: number): Promise<Map<string, number>> => {
    const all = [...ids];
    const known = await Promise.all(
      all.map(async (id) => {
        const [alive, seen] = await Promise.all([gateway.workers.alive(id), gateway.workers.lastSeen(id)]);
        return { id, alive, seen };
      }),
    );
    const dead = new Map<string, number>();
    for (const { id, alive, seen } of known) {
      if (alive) missed.delete(id);
      else {
        if (!missed.has(id)) missed.set(id, seen ?? now);
        dead.set(id, now - (missed.get(id) as number));
      }
    }
    // Bounded: old entries are of workers that no run names any more.
    if (missed.size > 10_000) missed.clear();
    return dead;
  };
}
