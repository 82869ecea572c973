import { z } from 'zod';

/** Patterns that an endpoint may subscribe to: the name of an event, a family of events (`run.*`), or all events. */
export const eventPatterns = [
  '*',
  'run.*',
  'run.finished',
  'service.*',
  'service.ready',
  'service.idle',
  'service.stopped',
  'service.crash_looping',
  'service.failed',
  'service.removed',
  'webhook.*',
  'webhook.disabled',
] as const;

export type EventPattern = (typeof eventPatterns)[number];

/** Events that are sent. `webhook.test` is sent only to the endpoint that is tested. */
export const eventTypes = [
  'run.finished',
  'service.ready',
  'service.idle',
  'service.stopped',
  'service.crash_looping',
  'service.failed',
  'service.removed',
  'webhook.disabled',
  'webhook.test',
] as const;

export type EventType = (typeof eventTypes)[number];

/** The patterns that match an event of this type. */
export function patternsFor(type: EventType): EventPattern[] {
  const wanted = new Set<string>(['*', `${type.split('.')[0]}.*`, type]);
  return eventPatterns.filter((pattern) => wanted.has(pattern));
}

const time = z.iso.datetime({ precision: 3 });

export const webhookUrl = z
  .string()
  .min(1)
  .max(2048)
  .meta({
    description:
      'http or https, without user and password. Its name may not resolve to a loopback, private, link-local or other non-global address, unless the operator allows it.',
    examples: ['https://example.com/hooks/runlet'],
  });

/** A signing secret (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64. */
export const webhookSecret = z
  .string()
  .max(128)
  .refine(
    isWebhookSecret,
    'must be `whsec_` followed by 24 to 64 random bytes in base64: echo "whsec_$(openssl rand -base64 32)"',
  );

export function isWebhookSecret(text: string): boolean {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(text)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0) return false;
  const bytes = Buffer.from(encoded, 'base64').length;
  return bytes >= 24 && bytes <= 64;
}

const events = z
  .array(z.enum(eventPatterns))
  .min(1)
  .max(eventPatterns.length)
  .meta({ description: 'Names of events, families (`run.*`), or `*`.', examples: [['run.finished']] });

export const newWebhook = z
  .strictObject({
    url: webhookUrl,
    events: events.default(['run.finished']),
  })
  .meta({ id: 'NewWebhook' });

export const webhookPatch = z
  .strictObject({
    url: webhookUrl.optional(),
    events: events.optional(),
    enabled: z.boolean().optional().meta({
      description: '`true` takes back a disabling, one of our own (`disabledReason`) too.',
    }),
  })
  .refine((patch) => Object.keys(patch).length > 0, 'must change at least one field: url, events or enabled')
  .meta({ id: 'WebhookPatch' });

/** Why an endpoint gets no deliveries: its owner disabled it, it answered 410, or a delivery failed for the last time. */
export const disabledReasons = ['owner', 'gone', 'failing'] as const;
export type DisabledReason = (typeof disabledReasons)[number];

export const webhook = z
  .object({
    id: z.string(),
    url: z.string(),
    events: z.array(z.enum(eventPatterns)),
    enabled: z.boolean(),
    disabledReason: z.enum(disabledReasons).nullable(),
    secretExpiresAt: time.nullable().meta({
      description: 'After a rotation: until then the old secret signs too.',
    }),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Webhook' });

export const webhookWithSecret = webhook
  .extend({
    secret: z.string().meta({
      description: 'For the receiver, to verify signatures with. Shown this once.',
      examples: ['whsec_…'],
    }),
  })
  .meta({ id: 'WebhookWithSecret' });

export type Webhook = z.infer<typeof webhook>;

/** Why a try did not deliver, in addition to the HTTP status of the answer. */
export const attemptFaults = [
  'status',
  'redirect',
  'blocked_address',
  'dns_failed',
  'connect_failed',
  'tls_failed',
  'timeout',
  'bad_response',
  'endpoint_disabled',
  'endpoint_deleted',
  'internal',
] as const;
export type AttemptFault = (typeof attemptFaults)[number];

export const deliveryAttempt = z
  .object({
    at: time,
    durationMs: z.number(),
    statusCode: z.int().nullable(),
    error: z
      .object({ code: z.enum(attemptFaults), message: z.string() })
      .nullable()
      .meta({ description: 'Null: the receiver answered 2xx.' }),
    response: z.string().nullable().meta({
      description: 'The beginning of the answer’s body, printable characters only.',
    }),
  })
  .meta({ id: 'DeliveryAttempt' });

export type DeliveryAttempt = z.infer<typeof deliveryAttempt>;

export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

export const delivery = z
  .object({
    id: z.string(),
    webhookId: z.string().meta({ description: 'What `webhook-id` says: the same on every try.' }),
    type: z.enum(eventTypes),
    endpoint: z.string().nullable().meta({ description: 'Null: the `webhook` of the run itself.' }),
    url: z.string(),
    run: z.string().nullable(),
    status: z.enum(deliveryStatuses),
    attempts: z.array(deliveryAttempt).meta({ description: 'The latest 50, oldest first.' }),
    nextAttemptAt: time.nullable(),
    createdAt: time,
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Delivery' });

export type Delivery = z.infer<typeof delivery>;
