import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, DeliveryAttempt } from '../../../shared/contracts/webhook.ts';
import type { ApiClient } from '../http/api-client.ts';
import { deliveryPath } from '../http/paths.ts';

const pollMs = 200;

/**
 * Waits until a delivery has ended, or until it is clear that it will not end within `waitMs`: the schedule of retries
 * lasts for days. Each try is reported as it comes.
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

/** The time from the last try to the next one. Both times are from the server's clock. */
function restMs({ attempts, nextAttemptAt }: Delivery): number {
  const last = attempts.at(-1);
  if (last === undefined || nextAttemptAt === null) return 0;
  return Date.parse(nextAttemptAt) - (Date.parse(last.at) + last.durationMs);
}
