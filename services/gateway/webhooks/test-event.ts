import type { Delivery } from '../../../shared/contracts/webhook.ts';
import { Problem } from '../../../shared/problems.ts';
import { presentWebhook, type StoredWebhook } from '../../../shared/stores/webhooks.ts';
import type { Gateway } from '../gateway.ts';

export type TestEventParts = Pick<Gateway, 'deliveries' | 'outbox'>;

/** Sends a `webhook.test` to one endpoint, whatever it subscribes to; returns the new delivery. */
export async function sendTest(gateway: TestEventParts, webhook: StoredWebhook): Promise<Delivery> {
  if (!webhook.enabled)
    throw new Problem(
      'conflict',
      'The endpoint is disabled: enable it first, by PATCH with {"enabled": true}.',
    );
  const body = JSON.stringify({
    type: 'webhook.test',
    timestamp: new Date().toISOString(),
    data: presentWebhook(webhook),
  });
  const [id = ''] = await gateway.deliveries.publish(
    { tenant: webhook.tenant, type: 'webhook.test', runId: undefined, body },
    [{ endpoint: webhook.id, url: webhook.url }],
  );
  await gateway.outbox.wake(id);
  const stored = await gateway.deliveries.read(id);
  if (stored === undefined) throw new Error('a delivery vanished as it was made');
  return gateway.deliveries.present(stored);
}
