import { z } from 'zod';
import { delivery, webhook, webhookWithSecret } from '../../../shared/contracts/webhook.ts';
import {
  bearer,
  empty,
  eventsResponse,
  idParam,
  jsonResponse,
  lastEventId,
  page,
  problems,
  textHeader,
} from '../http/describe.ts';
import { webhookEvent } from './payload.ts';

/** What the OpenAPI document says of webhooks, their deliveries and the stream of events. */

const tags = ['Webhooks'];
const security = bearer;
const params = idParam('id', 'The endpoint’s id.', 'whk_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b');
const deliveryParams = idParam('id', 'The delivery’s id.', 'del_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b');

const idempotencyKey = z.object({
  'Idempotency-Key': z.string().min(1).max(257).optional().meta({
    description:
      'Same key, same body: the first endpoint again, without its secret, and `Idempotent-Replayed: true`. Kept 24 h, of a tenant’s the last 100,000.',
  }),
});

export const createDocument = {
  tags,
  security,
  operationId: 'createWebhook',
  summary: 'Register an endpoint',
  description: [
    'Deliveries follow Standard Webhooks: a POST with `webhook-id` (the same on every try, and to every endpoint of the event), `webhook-timestamp` and `webhook-signature`. Its body is `{type, timestamp, data}`; `data` of `run.finished` is the run, with `url` (where all of it is) and `cutFields` (the fields that are cut in the payload: output is at 16 KiB a stream).',
    'Only an answer of 2xx within the time limit is delivered. Else it is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, with some jitter; a longer `Retry-After` is honoured. 410 disables the endpoint; so does a delivery that failed to its last try, unless another one arrived meanwhile; both make an event `webhook.disabled`.',
    'At least once, in no promised order: a receiver knows a delivery it has seen by its `webhook-id`, and the latest state by `timestamp`. No redirects are followed.',
  ].join('\n\n'),
  headers: idempotencyKey,
  example: { url: 'https://example.com/hooks/runlet', events: ['run.finished'] },
  responses: {
    201: jsonResponse(
      'The endpoint and its secret, which is shown this once.',
      z.union([webhookWithSecret, webhook]).meta({ id: 'CreatedWebhook' }),
      {
        Location: textHeader('The endpoint’s path.'),
        'Idempotent-Replayed': textHeader(
          '`true` when this is the first endpoint again: without its secret.',
        ),
      },
    ),
    ...problems(400, 409, 413, 415, 422, 429),
  },
};

export const listDocument = {
  tags,
  security,
  operationId: 'listWebhooks',
  summary: 'List endpoints, oldest first',
  description: 'Without their secrets: those are shown once, when they are made.',
  responses: { 200: jsonResponse('One page.', page(webhook, 'WebhookPage')), ...problems(400) },
};

export const readDocument = {
  tags,
  security,
  operationId: 'getWebhook',
  summary: 'An endpoint',
  description: 'Without its secret.',
  params,
  responses: { 200: jsonResponse('The endpoint.', webhook), ...problems(400, 404) },
};

export const patchDocument = {
  tags,
  security,
  operationId: 'updateWebhook',
  summary: 'Change an endpoint',
  description:
    'Its secret stays. Deliveries that are under way go to the new address from their next try on.',
  params,
  example: { events: ['run.finished'], enabled: true },
  responses: { 200: jsonResponse('The endpoint as it is now.', webhook), ...problems(400, 404, 413, 415) },
};

export const deleteDocument = {
  tags,
  security,
  operationId: 'deleteWebhook',
  summary: 'Remove an endpoint',
  description: 'Its deliveries that are under way end as failed at their next try, without being sent.',
  params,
  responses: { 204: empty('Removed.'), ...problems(400, 404) },
};

export const rotateDocument = {
  tags,
  security,
  operationId: 'rotateWebhookSecret',
  summary: 'Make a new secret',
  description: 'For 24 h deliveries carry two signatures, of the new secret and of the old one.',
  params,
  responses: {
    200: jsonResponse('The endpoint and its new secret, which is shown this once.', webhookWithSecret),
    ...problems(400, 404),
  },
};

export const testDocument = {
  tags,
  security,
  operationId: 'testWebhook',
  summary: 'Send a test event',
  description: 'A `webhook.test`, to this endpoint alone, tried and signed like any other event.',
  params,
  responses: { 202: jsonResponse('Its delivery, as it begins.', delivery), ...problems(400, 404, 409) },
};

export const listDeliveriesDocument = {
  tags,
  security,
  operationId: 'listDeliveries',
  summary: 'List deliveries, newest first, with each try',
  description:
    'A page may hold fewer entries than `limit` while `nextCursor` is not null: go on until it is.',
  responses: { 200: jsonResponse('One page.', page(delivery, 'DeliveryPage')), ...problems(400) },
};

export const readDeliveryDocument = {
  tags,
  security,
  operationId: 'getDelivery',
  summary: 'A delivery with its tries',
  description: 'The latest 50 tries, each with what the receiver answered.',
  params: deliveryParams,
  responses: { 200: jsonResponse('The delivery.', delivery), ...problems(400, 404) },
};

export const redeliverDocument = {
  tags,
  security,
  operationId: 'redeliver',
  summary: 'Deliver again, now',
  description:
    'The same body under the same `webhook-id`, whatever became of it before; one that waits for its next try is tried now.',
  params: deliveryParams,
  responses: { 202: jsonResponse('The delivery as it is now.', delivery), ...problems(400, 404) },
};

export const redeliverFailedDocument = {
  tags,
  security,
  operationId: 'redeliverFailed',
  summary: 'Deliver again all that failed since a time',
  description: 'The newest first, 10,000 a call at most: where `complete` is false, call again.',
  example: { since: '2026-01-31T12:00:00Z' },
  responses: {
    202: jsonResponse(
      'How many are tried again.',
      z
        .object({
          count: z.int(),
          complete: z
            .boolean()
            .meta({ description: 'False: there were more than one call looks at; call again.' }),
        })
        .meta({ id: 'Redelivered' }),
    ),
    ...problems(400, 404, 413, 415),
  },
};

export const eventsDocument = {
  tags,
  security,
  operationId: 'followEvents',
  summary: 'Follow the tenant’s events (server-sent events)',
  description:
    'What webhooks would bring, as it happens, for those who have no address to be called at: the event’s name is its type, its data `{type, webhookId, payload}` (schema WebhookEvent), the payload as a receiver gets it. From now on, or after `Last-Event-ID`: the latest 200 events of ten minutes are kept while somebody watches. A comment comes each 15 s.',
  headers: lastEventId,
  responses: {
    200: eventsResponse('The events.', webhookEvent, {
      type: 'webhook.test',
      webhookId: 'evt_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b',
      payload: {
        type: 'webhook.test',
        timestamp: '2026-01-31T12:00:00.000Z',
        data: {
          id: 'whk_01931f0a7c5e7c4f8a3b2c1d0e9f8a7b',
          url: 'https://example.com/hooks/runlet',
          events: ['run.finished'],
          enabled: true,
          disabledReason: null,
          secretExpiresAt: null,
          createdAt: '2026-01-31T12:00:00.000Z',
          updatedAt: '2026-01-31T12:00:00.000Z',
        },
      },
    }),
    ...problems(400),
  },
};
