import { isId } from '../../../shared/ids.ts';
import { Problem } from '../../../shared/problems.ts';
import type { StoredDelivery } from '../../../shared/stores/deliveries.ts';
import type { StoredWebhook } from '../../../shared/stores/webhooks.ts';
import type { Gateway } from '../gateway.ts';

export type WebhookLoadParts = Pick<Gateway, 'deliveries' | 'webhooks'>;

export const noSuchWebhook = (id: string) =>
  new Problem('not_found', `There is no webhook endpoint ${id.slice(0, 64)}: see GET /v1/webhooks.`);

/** A tenant's endpoint. Somebody else's is not found, as one that never was. */
export async function ownWebhook(
  gateway: WebhookLoadParts,
  tenant: string,
  id: string,
): Promise<StoredWebhook> {
  const webhook = isId('whk', id) ? await gateway.webhooks.find(id) : undefined;
  if (webhook === undefined || webhook.tenant !== tenant) throw noSuchWebhook(id);
  return webhook;
}

/** A tenant's delivery. */
export async function ownDelivery(
  gateway: WebhookLoadParts,
  tenant: string,
  id: string,
): Promise<StoredDelivery> {
  const delivery = isId('del', id) ? await gateway.deliveries.read(id) : undefined;
  if (delivery === undefined || delivery.tenant !== tenant)
    throw new Problem(
      'not_found',
      `There is no delivery ${id.slice(0, 64)}: see GET /v1/deliveries, or its retention is over.`,
    );
  return delivery;
}
