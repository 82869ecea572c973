/** What a run reserves on its node from claim to removal. */
export type Need = { memoryBytes: number; cpus: number };

export type Ledger = ReturnType<typeof createLedger>;

/**
 * Reservations of a node's memory and CPU. First come, first served: a large run that waits for room is not
 * overtaken for ever by small ones, because the worker fetches no further job while one waits.
 */
export function createLedger(capacity: Need) {
  const used = { memoryBytes: 0, cpus: 0, runs: 0 };
  let changed = Promise.withResolvers<void>();

  const fits = (need: Need) =>
    used.memoryBytes + need.memoryBytes <= capacity.memoryBytes &&
    used.cpus + need.cpus <= capacity.cpus + 1e-9;

  return {
    capacity,
    fits,
    /** Whether a run of this size could ever run here. */
    couldFit: (need: Need) => need.memoryBytes <= capacity.memoryBytes && need.cpus <= capacity.cpus,
    inUse: () => ({ ...used }),
    /** Resolves at the next release. */
    released: () => changed.promise,

    /** Takes the room, or not. The answer gives it back; twice is harmless. */
    take(need: Need): (() => void) | undefined {
      if (!fits(need)) return undefined;
      used.memoryBytes += need.memoryBytes;
      used.cpus += need.cpus;
      used.runs += 1;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        used.memoryBytes -= need.memoryBytes;
        used.cpus -= need.cpus;
        used.runs -= 1;
        changed.resolve();
        changed = Promise.withResolvers<void>();
      };
    },
  };
}
