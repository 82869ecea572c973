import type { Delivery, DeliveryAttempt, DeliveryStatus, EventType } from '../contracts/webhook.ts';
import { newId } from '../ids.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import { loadScript, loadVitalScript, text } from './scripts.ts';

const scripts = {
  publish: loadVitalScript('publish'),
  settle: loadVitalScript('settle'),
  redeliver: loadScript('redeliver'),
  drop: loadVitalScript('drop-delivery'),
};

/** How many tries of a delivery are kept: enough for some rounds of the schedule. */
const maxAttempts = 50;
/** How many events the stream of a tenant holds for those who watch, and how long it is kept after the last event. */
const maxStreamed = 200;
const streamMs = 600_000;

/** An event. `body`: the same text for every receiver. */
export type NewEvent = { tenant: string; type: EventType; runId: string | undefined; body: string };

/** The receiver: a registered endpoint, or the address that the run itself named. */
export type Recipient = { endpoint: string; url: string } | { url: string; secret: string };

/** One delivery as the notifier works with it. */
export type StoredDelivery = {
  id: string;
  tenant: string;
  event: string;
  type: EventType;
  /** Undefined: the delivery goes to the address that the run itself named. */
  endpoint: string | undefined;
  run: string | undefined;
  url: string;
  status: DeliveryStatus;
  /** Failed tries in the present round of the schedule. */
  tries: number;
  createdAt: string;
  /** When the next try is due, in ms. */
  nextAt: number | undefined;
  finishedAt: string | undefined;
};

export type Settlement =
  | { outcome: 'delivered' | 'failed'; attempt: DeliveryAttempt }
  | { outcome: 'retry'; attempt: DeliveryAttempt; nextAt: number };

export type DeliveryFilter = { endpoint?: string | undefined; run?: string | undefined };

/** An event on a tenant's stream. `id`: its place there. */
export type StreamedEvent = { id: string; eventId: string; type: EventType; body: string };

export type DeliveryStore = ReturnType<typeof createDeliveryStore>;

/**
 * Events and their deliveries:
 *
 *   (outbox) → pending → delivered
 *                ↑ └───→ failed, after the last try
 *                └── redelivered: pending again, and the whole schedule begins anew
 */
export function createDeliveryStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  const context = (id: string) => `delivery:${id}`;
  /** The body is sealed, since it contains the run's request, which is sealed as well. */
  const bodyContext = (eventId: string) => `event:${eventId}`;

  return {
    /**
     * Makes the deliveries of an event, and returns their ids. With `outboxMember`, the event is taken out of the outbox in the
     * same step. If somebody else has already taken it, no deliveries are made.
     *
     * @param streamed whether those who watch the tenant's events get it too
     */
    async publish(
      event: NewEvent,
      recipients: Recipient[],
      { outboxMember = '', streamed = false }: { outboxMember?: string; streamed?: boolean } = {},
    ): Promise<string[]> {
      const eventId = newId('evt');
      const now = Date.now();
      const deliveries = recipients.map((recipient) => ({ ...recipient, id: newId('del') }));
      const reply = await scripts.publish(
        redis,
        [
          keys.outbox,
          keys.run(event.runId ?? ''),
          keys.events(event.runId ?? ''),
          keys.event(eventId),
          keys.tenantEvents(event.tenant),
          keys.tenantDeliveries(event.tenant),
          keys.pendingDeliveries,
          keys.tenantPending(event.tenant),
          keys.stats,
          keys.outboxBodies,
          ...deliveries.flatMap((one) => [
            keys.delivery(one.id),
            keys.webhookDeliveries('endpoint' in one ? one.endpoint : ''),
            keys.runDeliveries(event.runId ?? ''),
          ]),
        ],
        [
          outboxMember,
          eventId,
          event.type,
          event.tenant,
          now,
          new Date(now).toISOString(),
          sealer.seal(event.body, bodyContext(eventId)),
          streamed ? '1' : '',
          maxStreamed,
          streamMs,
          keys.eventsWake(event.tenant),
          event.runId ?? '',
          ...deliveries.flatMap((one) =>
            'endpoint' in one
              ? [one.id, one.endpoint, one.url, '']
              : [one.id, '', one.url, sealer.seal(one.secret, context(one.id))],
          ),
        ],
      );
      return text(reply) === 'taken' ? [] : deliveries.map(({ id }) => id);
    },

    async read(id: string): Promise<StoredDelivery | undefined> {
      const fields = await redis.hmget(keys.delivery(id), ...readFields);
      return parse(id, fields);
    },

    /** The body that a receiver gets; `undefined` if it is gone. */
    async body(delivery: StoredDelivery): Promise<string | undefined> {
      const [sealed, plain] = await redis.hmgetBuffer(keys.event(delivery.event), 'sealed', 'body');
      if (sealed) return sealer.open(sealed, bodyContext(delivery.event));
      // An earlier version stored it in plain text.
      return plain?.toString();
    },

    /** The id of the newest event that those who watch can see. */
    async lastStreamed(tenant: string): Promise<string | undefined> {
      const [entry] = await redis.xrevrange(keys.tenantEvents(tenant), '+', '-', 'COUNT', 1);
      return entry?.[0];
    },

    /** A tenant's events after this one, oldest first, for those who watch. */
    async streamed(tenant: string, after: string, count: number): Promise<StreamedEvent[]> {
      const page = await redis.xrangeBuffer(keys.tenantEvents(tenant), `(${after}`, '+', 'COUNT', count);
      return page.map(([id, fields]) => {
        const { i = '', t = '', s, d } = Object.fromEntries(pairs(fields));
        const eventId = i.toString();
        const body = s === undefined ? (d ?? '').toString() : sealer.open(s, bodyContext(eventId));
        return { id: id.toString(), eventId, type: t.toString() as EventType, body };
      });
    },

    /** The secret for the address that a run itself named. */
    async ownSecret(id: string): Promise<string | undefined> {
      const box = await redis.hgetBuffer(keys.delivery(id), 'secret');
      return box === null || box.length === 0 ? undefined : sealer.open(box, context(id));
    },

    /** Stores a try and its outcome; returns the delivery's status after that. */
    async settle(delivery: StoredDelivery, settlement: Settlement): Promise<DeliveryStatus | 'gone'> {
      const now = Date.now();
      const reply = await scripts.settle(
        redis,
        [
          keys.delivery(delivery.id),
          keys.attempts(delivery.id),
          keys.pendingDeliveries,
          keys.tenantPending(delivery.tenant),
          keys.endedDeliveries,
          keys.stats,
          keys.webhook(delivery.endpoint ?? ''),
        ],
        [
          delivery.id,
          JSON.stringify(settlement.attempt),
          settlement.outcome,
          now,
          new Date(now).toISOString(),
          settlement.outcome === 'retry' ? settlement.nextAt : '',
          maxAttempts,
        ],
      );
      return text(reply) as DeliveryStatus | 'gone';
    },

    /** The delivery is tried now, and then the whole schedule begins anew. */
    async redeliver(id: string, tenant: string): Promise<boolean> {
      const reply = await scripts.redeliver(
        redis,
        [keys.delivery(id), keys.pendingDeliveries, keys.tenantPending(tenant), keys.endedDeliveries],
        [id, Date.now(), keys.outboxWake],
      );
      return text(reply) === 'pending';
    },

    /** Ids of a tenant's deliveries, newest first, that come after `before`. */
    async ids(
      tenant: string,
      filter: DeliveryFilter,
      before: string | undefined,
      count: number,
    ): Promise<string[]> {
      const index =
        filter.run !== undefined
          ? keys.runDeliveries(filter.run)
          : filter.endpoint !== undefined
            ? keys.webhookDeliveries(filter.endpoint)
            : keys.tenantDeliveries(tenant);
      return redis.zrevrangebylex(index, before === undefined ? '+' : `(${before}`, '-', 'LIMIT', 0, count);
    },

    async present(delivery: StoredDelivery): Promise<Delivery> {
      const attempts = await redis.lrange(keys.attempts(delivery.id), 0, -1);
      return {
        id: delivery.id,
        webhookId: delivery.event,
        type: delivery.type,
        endpoint: delivery.endpoint ?? null,
        url: delivery.url,
        run: delivery.run ?? null,
        status: delivery.status,
        attempts: attempts.flatMap(parseAttempt),
        nextAttemptAt: delivery.nextAt === undefined ? null : new Date(delivery.nextAt).toISOString(),
        createdAt: delivery.createdAt,
        finishedAt: delivery.finishedAt ?? null,
      };
    },

    /** Pending deliveries that were due before `before` (ms). Those that have waited longest come first. */
    async overdue(before: number, count: number): Promise<string[]> {
      return redis.zrangebyscore(keys.pendingDeliveries, '-inf', `(${before}`, 'LIMIT', 0, count);
    },

    async pendingCount(): Promise<number> {
      return redis.zcard(keys.pendingDeliveries);
    },

    /** Deliveries that ended before `before` (ms; Infinity for any), oldest first. */
    async ended(before: number, count: number): Promise<string[]> {
      const latest = before === Number.POSITIVE_INFINITY ? '+inf' : `(${before}`;
      return redis.zrangebyscore(keys.endedDeliveries, '-inf', latest, 'LIMIT', 0, count);
    },

    /** How much is kept: the number of ended deliveries, and the bytes of the events' bodies. */
    async kept(): Promise<{ ended: number; bytes: number }> {
      const [ended, bytes] = await Promise.all([
        redis.zcard(keys.endedDeliveries),
        redis.hget(keys.stats, 'eventBytes'),
      ]);
      return { ended, bytes: Number(bytes ?? 0) };
    },

    /** Forgets a delivery that has ended. */
    async drop(id: string): Promise<void> {
      const delivery = await this.read(id);
      if (delivery === undefined) {
        await redis.zrem(keys.endedDeliveries, id);
        return;
      }
      await scripts.drop(
        redis,
        [
          keys.delivery(id),
          keys.attempts(id),
          keys.event(delivery.event),
          keys.tenantDeliveries(delivery.tenant),
          keys.webhookDeliveries(delivery.endpoint ?? ''),
          keys.runDeliveries(delivery.run ?? ''),
          keys.endedDeliveries,
          keys.stats,
        ],
        [id],
      );
    },
  };
}

function* pairs(fields: Buffer[]): Generator<[string, Buffer]> {
  for (let i = 0; i + 1 < fields.length; i += 2) yield [String(fields[i]), fields[i + 1] as Buffer];
}

/** A try that cannot be read is left out: the rest of the delivery can be shown. */
function parseAttempt(text: string): DeliveryAttempt[] {
  try {
    return [JSON.parse(text) as DeliveryAttempt];
  } catch {
    return [];
  }
}

const readFields = [
  'tenant',
  'event',
  'type',
  'endpoint',
  'run',
  'url',
  'status',
  'tries',
  'createdAt',
  'nextAt',
  'finishedAt',
];

function parse(id: string, fields: (string | null)[]): StoredDelivery | undefined {
  const [tenant, event, type, endpoint, run, url, status, tries, createdAt, nextAt, finishedAt] = fields;
  if (!tenant || !event || !status) return undefined;
  return {
    id,
    tenant,
    event,
    type: type as EventType,
    endpoint: endpoint || undefined,
    run: run || undefined,
    url: url ?? '',
    status: status as DeliveryStatus,
    tries: Number(tries ?? 0),
    createdAt: createdAt ?? '',
    nextAt: nextAt ? Number(nextAt) : undefined,
    finishedAt: finishedAt ?? undefined,
  };
}
