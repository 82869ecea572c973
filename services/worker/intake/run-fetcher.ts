import { LRUCache } from 'lru-cache';
import { kindOf } from '../../../shared/run-plan.ts';
import type { Start } from '../../../shared/stores/run-claims.ts';
import type { RunKind } from '../../../shared/stores/run-record.ts';
import type { Ledger } from '../node/ledger.ts';
import type { Execution } from '../run/attempt.ts';
import { foreseeAny } from '../run/foresee.ts';
import type { Fetched, RunQueue } from './run-queue.ts';

/** Every fetch sends Redis the state in which a run of each kind would start, so their number is bounded. */
const maxKinds = 8;
/** Runs that wait are fetched so many at a time, if there is room for all of them: one message, and one script. */
const maxAtOnce = 4;

/**
 * Fetches runs from the queue. A run is claimed together with its job if one of its kind was taken lately, its image is here, and there is
 * room for it. If there is a warm sandbox for it as well, it is claimed as `running`: on an idle worker it is stored, fetched, claimed and
 * moved to `running` in one turn of Redis with one write to its disk, and its program starts at the first message about it.
 */
export function createRunFetcher(options: {
  queue: Pick<RunQueue, 'next' | 'holdsSome'>;
  ledger: Pick<Ledger, 'howMany'>;
  execution: Execution;
}) {
  const { queue, ledger, execution } = options;
  const kinds = new LRUCache<string, RunKind>({ max: maxKinds });

  /** `most`: so many of each of these kinds have room. */
  function likely(): { starts: Start[]; most: number } {
    const rooms = [...kinds].map(([kind, one]) => ({
      kind,
      one,
      room: ledger.howMany(one.request.limits, maxAtOnce),
    }));
    const starts = rooms.flatMap(({ kind, one, room }) => {
      const foreseen = room > 0 ? foreseeAny(execution, one) : undefined;
      return foreseen === undefined ? [] : [{ kind, ...foreseen }];
    });
    return { starts, most: Math.max(1, Math.min(...rooms.map(({ room }) => room), maxAtOnce)) };
  }

  return {
    /** A run of this kind was taken: others of it may follow. */
    note({ request, firstStep }: RunKind): void {
      kinds.set(kindOf({ request, firstStep }), { request, firstStep });
    },

    /** The next one that is due; `undefined` after a while without one. */
    next: (): Promise<Fetched | undefined> => queue.next(likely),

    /** Whether some have come that `next` has not handed out. */
    holdsSome: () => queue.holdsSome(),
  };
}
