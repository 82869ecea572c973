import type { Log } from '../../shared/log.ts';
import type { DeliveryStore } from '../../shared/stores/deliveries.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type { Receivers } from './receivers.ts';

const everyMs = 5_000;
/** A delivery that is due may be without a job for so long: it is still being added. */
const jobGraceMs = 5_000;
/** A job is deferred for so long at most, because its receiver is busy or its circuit is broken (places.ts). */
const maxDeferMs = 400_000;
/** So many pending deliveries are looked at in a sweep; the next one goes on after them. */
const maxLookedAt = 2_000;
const pageSize = 500;
/** Where there are too many bytes, so many deliveries at a time, so that no more is forgotten than needed. */
const smallPage = 20;
/** One sweep forgets so many deliveries at most. */
const maxForgotten = 5_000;

/** Gives a job to deliveries that lost theirs, and forgets what is too old or too much. All of it is idempotent. */
export function createSweep(options: {
  deliveries: DeliveryStore;
  queue: DeliveryQueue;
  receivers: Receivers;
  retention: { ms: number; deliveries: number; bytes: number };
  log: Log;
}) {
  const { deliveries, queue, log, retention } = options;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let lookedAt = 0;

  /** Looks at all that is overdue, a part in each sweep. So the many deliveries of a dead receiver do not hide the others. */
  async function repair(now: number): Promise<void> {
    const overdue = await deliveries.overdue(now - jobGraceMs, lookedAt + maxLookedAt);
    const ids = overdue.slice(lookedAt);
    lookedAt = ids.length < maxLookedAt ? 0 : overdue.length;
    const lost = await queue.overlooked(ids, now + maxDeferMs);
    for (const id of lost) await queue.hurry(id);
    if (lost.length > 0) log.info({ count: lost.length }, 'deliveries had lost their job and have one again');
  }

  /** The next to be forgotten: what is too old, then what is too much. */
  async function forgettable(now: number): Promise<string[]> {
    const old = await deliveries.ended(now - retention.ms, pageSize);
    if (old.length > 0) return old;
    const { ended, bytes } = await deliveries.kept();
    const excess = Math.max(ended - retention.deliveries, bytes > retention.bytes ? smallPage : 0);
    return excess > 0 ? deliveries.ended(Number.POSITIVE_INFINITY, Math.min(excess, pageSize)) : [];
  }

  async function forget(now: number): Promise<void> {
    let forgotten = 0;
    while (forgotten < maxForgotten) {
      const ids = await forgettable(now);
      if (ids.length === 0) break;
      for (const id of ids) await deliveries.drop(id);
      forgotten += ids.length;
    }
    if (forgotten > 0) log.info({ forgotten }, 'deliveries forgotten');
  }

  async function sweep(now = Date.now()): Promise<void> {
    await repair(now);
    await forget(now);
    options.receivers.forgetIdle();
  }

  return {
    sweep,
    start(): void {
      timer = setInterval(() => {
        running ??= sweep()
          .catch((error: Error) => log.warn({ reason: error.message }, 'sweep waits for Redis'))
          .finally(() => {
            running = undefined;
          });
      }, everyMs);
    },
    async stop(): Promise<void> {
      clearInterval(timer);
      await running;
    },
  };
}
