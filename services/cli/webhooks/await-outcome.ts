import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, DeliveryAttempt } from '../../../shared/contracts/webhook.ts';
import type { ApiClient } from '../http/api-client.ts';
import { deliveryPath } from '../http/paths.ts';

const pollMs = 200;

/**
 * Waits until a delivery has ended, or until it is clear that it will not within `waitMs`: the schedule goes on for
 * days. Each try is told as it comes.
 */
export async function awaitOutcome(
  api: ApiClient,
  begun: Delivery,
  waitMs: number,
  onTry: (number: number, attempt: DeliveryAttempt) => Promise<void>,
): Promise<Delivery> {
  const until = performance.now() + waitMs;
  let delivery = begun;
  for (let told = 0; ; ) {
    for (const attempt of delivery.attempts.slice(told)) {
      told += 1;
      await onTry(told, attempt);
    }
    const left = until - performance.now();
    if (delivery.status !== 'pending' || left <= 0 || restMs(delivery) > left) return delivery;
    await sleep(Math.min(pollMs, left));
    delivery = await api.json<Delivery>({ path: deliveryPath(delivery.id) });
  }
}

/** How long the next try is after the last one, by the server's clock alone. */
function restMs({ attempts, nextAttemptAt }: Delivery): number {
  const last = attempts.at(-1);
  if (last === undefined || nextAttemptAt === null) return 0;
  return Date.parse(nextAttemptAt) - (Date.parse(last.at) + last.durationMs);
}
