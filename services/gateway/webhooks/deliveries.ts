import { z } from 'zod';
import { type Delivery, deliveryStatuses } from '../../../shared/contracts/webhook.ts';
import { isId } from '../../../shared/ids.ts';
import { badField } from '../../../shared/problems.ts';
import type { DeliveryFilter } from '../../../shared/stores/deliveries.ts';
import type { Gateway } from '../gateway.ts';
import { ok } from '../http/answers.ts';
import { type App, mount } from '../http/mount.ts';
import { decodeCursor, encodeCursor, pageQuery } from '../http/query.ts';
import * as documents from './documents.ts';
import { ownDelivery, ownWebhook, type WebhookLoadParts } from './load.ts';

export type DeliveryParts = Pick<Gateway, 'deliveries' | 'env'> & WebhookLoadParts;

/** Deliveries that one request looks at; `nextCursor` leads to the others. */
const maxScanned = 1_000;
const scanPage = 100;
/** Deliveries that one call sends again at most. */
const maxRedelivered = 10_000;

const idOf = (prefix: 'whk' | 'run') =>
  z.string().refine((text) => isId(prefix, text), `must be an id, like ${prefix}_…`);

export const deliveriesQuery = pageQuery.extend({
  endpoint: idOf('whk').optional().meta({ description: 'Only to this endpoint.' }),
  run: idOf('run').optional().meta({ description: 'Only of this run.' }),
  status: z.enum(deliveryStatuses).optional(),
});

type Query = z.output<typeof deliveriesQuery>;

export const redeliverBody = z
  .strictObject({
    since: z.iso
      .datetime({ offset: true })
      .meta({ description: 'Deliveries made at this time or later that have failed.' }),
    endpoint: idOf('whk').optional().meta({ description: 'Only to this endpoint.' }),
  })
  .meta({ id: 'RedeliverFailed' });

export function mountDeliveries(app: App, gateway: DeliveryParts): void {
  const options = { maxBodyBytes: gateway.env.RUNLET_MAX_BODY_BYTES };

  mount(
    app,
    options,
    {
      method: 'get',
      path: '/v1/deliveries',
      query: deliveriesQuery,
      document: documents.listDeliveriesDocument,
    },
    async (c, { query }) => ok(await listDeliveries(gateway, c.var.identity.tenant, query)),
  );

  mount(
    app,
    options,
    {
      method: 'post',
      path: '/v1/deliveries/redeliver',
      body: redeliverBody,
      document: documents.redeliverFailedDocument,
    },
    async (c, { body }) => {
      const { tenant } = c.var.identity;
      if (body.endpoint !== undefined) await ownWebhook(gateway, tenant, body.endpoint);
      const { count, complete } = await redeliverFailed(gateway, tenant, body);
      return c.json({ count, complete }, 202);
    },
  );

  mount(
    app,
    options,
    { method: 'get', path: '/v1/deliveries/{id}', document: documents.readDeliveryDocument },
    async (c) => {
      const found = await ownDelivery(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      return ok(await gateway.deliveries.present(found));
    },
  );

  mount(
    app,
    options,
    { method: 'post', path: '/v1/deliveries/{id}/redeliver', document: documents.redeliverDocument },
    async (c) => {
      const found = await ownDelivery(gateway, c.var.identity.tenant, c.req.param('id') ?? '');
      await gateway.deliveries.redeliver(found.id, found.tenant);
      const now = await ownDelivery(gateway, found.tenant, found.id);
      return c.json(await gateway.deliveries.present(now), 202);
    },
  );
}

async function listDeliveries(
  gateway: DeliveryParts,
  tenant: string,
  query: Query,
): Promise<{ data: Delivery[]; nextCursor: string | null }> {
  const data: Delivery[] = [];
  let before = decodeCursor(query.cursor);
  if (before !== undefined && !isId('del', before)) throw badField('cursor', 'is not a cursor of this list');
  for await (const delivery of walk(gateway, tenant, query, before)) {
    if (data.length === query.limit || delivery === 'enough')
      return { data, nextCursor: before === undefined ? null : encodeCursor(before) };
    before = delivery.id;
    if (query.status !== undefined && delivery.status !== query.status) continue;
    data.push(await gateway.deliveries.present(delivery));
  }
  return { data, nextCursor: null };
}

/** A tenant's deliveries, newest first; `enough` after `maxEntries` of them. */
async function* walk(
  gateway: DeliveryParts,
  tenant: string,
  filter: DeliveryFilter,
  start: string | undefined,
  maxEntries = maxScanned,
) {
  let before = start;
  let scanned = 0;
  for (;;) {
    const ids = await gateway.deliveries.ids(tenant, filter, before, scanPage);
    const page = await Promise.all(ids.map((id) => gateway.deliveries.read(id)));
    for (const delivery of page) {
      // The client may name an endpoint or a run of another tenant: each delivery says whose it is.
      if (delivery === undefined || delivery.tenant !== tenant) continue;
      if (filter.endpoint !== undefined && delivery.endpoint !== filter.endpoint) continue;
      yield delivery;
    }
    scanned += ids.length;
    before = ids.at(-1);
    if (ids.length < scanPage) return;
    if (scanned >= maxEntries) {
      yield 'enough' as const;
      return;
    }
  }
}

async function redeliverFailed(
  gateway: DeliveryParts,
  tenant: string,
  { since, endpoint }: z.output<typeof redeliverBody>,
): Promise<{ count: number; complete: boolean }> {
  const from = Date.parse(since);
  let count = 0;
  // All that are kept, if necessary: retention bounds their number.
  for await (const delivery of walk(gateway, tenant, { endpoint }, undefined, Number.POSITIVE_INFINITY)) {
    // The next call goes on: deliveries that were sent again do not count as failed any more.
    if (delivery === 'enough' || count === maxRedelivered) return { count, complete: false };
    // Ids are in the order of time.
    if (Date.parse(delivery.createdAt) < from) break;
    if (delivery.status !== 'failed') continue;
    if (await gateway.deliveries.redeliver(delivery.id, tenant)) count += 1;
  }
  return { count, complete: true };
}
