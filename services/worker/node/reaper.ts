import type { Log } from '../../../shared/log.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import type { Owner } from '../labels.ts';
import type { Leftover } from '../sandbox/driver.ts';
import { reaperVerdict } from './reaper-verdict.ts';

/** With a worker's life of 8 s (stores/workers.ts) nothing outlives its owner by more than about 10 s: promise G3. */
const sweepMs = 2_000;

/**
 * Removes sandboxes, containers and networks that nobody looks after any more; reaper-verdict.ts decides which those are.
 */
export function createReaper(options: {
  workerId: string;
  /** What there is of this Runlet where sandboxes are made. */
  left: () => Promise<Leftover[]>;
  workers: WorkerStore;
  /** Runs that are under way. */
  active: { holds(run: string, attempt: number): boolean };
  /** Sandboxes made ahead, and those of them that are in use. */
  warm: { holds(id: string): boolean };
  /** Containers by which images are looked into. */
  looks: { holds(id: string): boolean };
  /** Holds on images whose files are in use. */
  pins: { holds(id: string): boolean };
  services: { isOrphan(id: string): Promise<boolean> };
  log: Log;
}) {
  const { log } = options;
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> | undefined;
  /** What of this worker's own nobody held at the last look. */
  let unheldBefore = new Set<string>();

  /** Whether this worker still wants what is its own. */
  function isHeld(owner: Owner): boolean {
    switch (owner.of) {
      case 'run':
        return options.active.holds(owner.owner.run, owner.owner.attempt);
      case 'warm':
        return options.warm.holds(owner.owner.warm);
      case 'look':
        return options.looks.holds(owner.owner.look);
      case 'pin':
        return options.pins.holds(owner.owner.pin);
      case 'service':
        return false;
      default:
        return owner satisfies never;
    }
  }

  async function sweep(): Promise<void> {
    const found = await options.left();
    const alive = new Map<string, boolean>();
    for (const id of new Set(found.map((thing) => thing.owner.owner.worker))) {
      if (id !== options.workerId) alive.set(id, await options.workers.alive(id));
    }
    const unheld = new Set<string>();
    for (const { id, name, owner, remove } of found) {
      const isOurs = owner.owner.worker === options.workerId;
      const verdict = reaperVerdict({
        of: owner.of,
        isOurs,
        isHeld: isOurs && isHeld(owner),
        wasUnheld: unheldBefore.has(id),
        ownerLives: isOurs || alive.get(owner.owner.worker) === true,
        isServiceOrphan: owner.of === 'service' && (await options.services.isOrphan(owner.owner.service)),
      });
      if (verdict !== 'keep' && isOurs) unheld.add(id);
      if (verdict !== 'remove') continue;
      log.warn({ ...owner.owner, name }, 'orphan removed');
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
