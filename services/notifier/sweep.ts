import type { Log } from '../../shared/log.ts';
import type { DeliveryStore } from '../../shared/stores/deliveries.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type { Receivers } from './receivers.ts';

const everyMs = 5_000;
/** A job may be on its way for so long. */
const jobGraceMs = 5_000;
const pageSize = 500;
/** One sweep forgets so many deliveries at most. */
const mostForgotten = 5_000;

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

  async function repair(now: number): Promise<void> {
    const overdue = await deliveries.overdue(now - jobGraceMs, pageSize);
    const lost = await queue.without(overdue);
    if (lost.length === 0) return;
    await queue.add(lost.map((id) => ({ id, delayMs: 0 })));
    log.info({ count: lost.length }, 'deliveries without a job got one');
  }

  async function forget(now: number): Promise<void> {
    let forgotten = 0;
    while (forgotten < mostForgotten) {
      const { ended, bytes } = await deliveries.kept();
      const excess = bytes > retention.bytes ? pageSize : Math.min(pageSize, ended - retention.deliveries);
      const old = await deliveries.ended(now - retention.ms, pageSize);
      const ids =
        old.length > 0 ? old : excess > 0 ? await deliveries.ended(Number.POSITIVE_INFINITY, excess) : [];
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
