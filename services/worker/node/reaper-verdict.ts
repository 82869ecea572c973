import type { Owner } from '../labels.ts';

/** What is known of a container or network that carries this Runlet's labels. */
export type Found = {
  of: Owner['of'];
  /** This worker made it. */
  isOurs: boolean;
  /** This worker still wants it; asked only of what is its own. */
  isHeld: boolean;
  /** At the last look, too, this worker did not want it. */
  wasUnheld: boolean;
  /** The worker that made it lives. */
  ownerLives: boolean;
  /** Of a service: it is gone, or on another engine by now. */
  isServiceOrphan: boolean;
};

/** `watch`: it is removed if it is found so at the next look. */
export type ReaperVerdict = 'keep' | 'watch' | 'remove';

/**
 * Whether something is an orphan. Pure.
 *
 *   a service's                  removed once its service is gone: a service outlives its worker, and the engine's next worker adopts it
 *   this worker's, held          kept
 *   this worker's, not held      removed at the second look: a run may be between its claim and its container
 *   another's                    removed once that worker is dead
 */
export function reaperVerdict(found: Found): ReaperVerdict {
  if (found.of === 'service') return found.isServiceOrphan ? 'remove' : 'keep';
  if (!found.isOurs) return found.ownerLives ? 'keep' : 'remove';
  if (found.isHeld) return 'keep';
  return found.wasUnheld ? 'remove' : 'watch';
}
