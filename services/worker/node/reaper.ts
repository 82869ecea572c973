import type { Log } from '../../../shared/log.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import type { ActiveRuns } from '../run/active-runs.ts';
import type { Leftover } from '../sandbox/driver.ts';

/** With a worker's life of 8 s (stores/workers.ts) nothing outlives its owner by more than about 10 s: promise G3. */
const sweepMs = 2_000;

/**
 * Removes sandboxes, containers and networks that nobody looks after: their worker is dead, or it is this one and holds them
 * no more.
 */
export function createReaper(options: {
  workerId: string;
  /** What there is of this Runlet where sandboxes are made. */
  left: () => Promise<Leftover[]>;
  workers: WorkerStore;
  active: ActiveRuns;
  /** Sandboxes made ahead, and those of them that are in use. */
  warm: { holds(id: string): boolean };
  /** Containers by which images are looked into. */
  looks: { holds(id: string): boolean };
  services: { isOrphan(id: string): Promise<boolean> };
  log: Log;
}) {
  const { log, active } = options;
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | undefined;
  /** Ours that nobody held at the last look: a run may be between its claim and its container. */
  let unheldBefore = new Set<string>();

  async function sweep(): Promise<void> {
    const found = await options.left();
    const alive = new Map<string, boolean>();
    for (const id of new Set(found.map((thing) => thing.owner.owner.worker))) {
      if (id !== options.workerId) alive.set(id, await options.workers.alive(id));
    }
    const unheld = new Set<string>();
    for (const { id, name, owner: whose, remove } of found) {
      const { worker } = whose.owner;
      if (whose.of === 'service') {
        // A service outlives its worker: whoever comes next on this engine adopts it.
        if (!(await options.services.isOrphan(whose.owner.service))) continue;
      } else if (worker === options.workerId) {
        const held =
          whose.of === 'run'
            ? active.holds(whose.owner.run, whose.owner.attempt)
            : whose.of === 'warm'
              ? options.warm.holds(whose.owner.warm)
              : options.looks.holds(whose.owner.look);
        if (held) continue;
        unheld.add(id);
        if (!unheldBefore.has(id)) continue;
      } else if (alive.get(worker)) continue;
      log.warn({ ...whose.owner, name }, 'orphan removed');
      await remove().catch((error: Error) => {
        log.warn({ name, reason: error.message }, 'orphan could not be removed');
      });
    }
    unheldBefore = unheld;
  }

  const sweepOnce = () => {
    sweeping ??= sweep()
      .catch((error: Error) => log.warn({ reason: error.message }, 'orphans could not be looked for'))
      .finally(() => {
        sweeping = undefined;
      });
    return sweeping;
  };

  return {
    async start(): Promise<void> {
      await sweepOnce();
      timer = setInterval(sweepOnce, sweepMs);
    },
    async stop(): Promise<void> {
      clearInterval(timer);
      await sweeping;
    },
  };
}
