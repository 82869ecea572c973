import { within } from '../../../shared/within.ts';

/** What a run reserves on its node from claim to removal. */
export type Need = { memoryBytes: number; cpus: number };

/** Room that was taken. It is given back in two parts; to give it back again changes nothing. */
export type Reservation = {
  /** No program of the run runs any more. */
  releaseCpus(): void;
  /** Its sandbox is gone, and the memory that it held. */
  release(): void;
};

/** What a node's runs may reserve, where the operator does not say: memory is left for the engine itself. */
export const capacityOf = (
  env: { RUNLET_WORKER_MEMORY_BYTES: number; RUNLET_WORKER_CPUS: number; RUNLET_CPU_OVERCOMMIT: number },
  engine: Need,
): Need => ({
  memoryBytes: env.RUNLET_WORKER_MEMORY_BYTES || Math.floor(engine.memoryBytes * 0.8),
  cpus: (env.RUNLET_WORKER_CPUS || engine.cpus) * env.RUNLET_CPU_OVERCOMMIT,
});

export type Ledger = ReturnType<typeof createLedger>;

/**
 * Reservations of a node's memory and CPU, first come, first served: the worker fetches no other job while a run waits for room, so small
 * runs cannot overtake a large one for ever.
 */
export function createLedger(capacity: Need) {
  const used = { memoryBytes: 0, cpus: 0, runs: 0 };
  let waiting = 0;
  let changed = Promise.withResolvers<void>();

  const fits = (need: Need) =>
    used.memoryBytes + need.memoryBytes <= capacity.memoryBytes &&
    used.cpus + need.cpus <= capacity.cpus + 1e-9;

  return {
    capacity,
    fits,
    /** How many of this size fit beside what is there, up to `most`. */
    howMany({ memoryBytes, cpus }: Need, most: number): number {
      let count = 0;
      while (count < most && fits({ memoryBytes: memoryBytes * (count + 1), cpus: cpus * (count + 1) }))
        count += 1;
      return count;
    },
    /** Whether a run of this size could ever run here. */
    couldFit: (need: Need) => need.memoryBytes <= capacity.memoryBytes && need.cpus <= capacity.cpus,
    inUse: () => ({ ...used }),

    /** How many wait for room. */
    waiting: () => waiting,
    /** Resolves at the next release, or after `ms`; until then its caller counts as waiting. */
    async room(ms: number): Promise<void> {
      waiting += 1;
      await within(ms, changed.promise);
      waiting -= 1;
    },

    /** Takes the room, or not. */
    take(need: Need): Reservation | undefined {
      if (!fits(need)) return undefined;
      used.memoryBytes += need.memoryBytes;
      used.cpus += need.cpus;
      used.runs += 1;
      let held = true;
      let cpusHeld = true;
      const tell = () => {
        changed.resolve();
        changed = Promise.withResolvers<void>();
      };
      const releaseCpus = () => {
        if (!cpusHeld) return;
        cpusHeld = false;
        used.cpus -= need.cpus;
        tell();
      };
      return {
        releaseCpus,
        release() {
          if (!held) return;
          held = false;
          releaseCpus();
          used.memoryBytes -= need.memoryBytes;
          used.runs -= 1;
          tell();
        },
      };
    },
  };
}
