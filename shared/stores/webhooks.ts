import {
  type DisabledReason,
  type EventPattern,
  type EventType,
  eventPatterns,
  patternsFor,
  type Webhook,
} from '../contracts/webhook.ts';
import { newId } from '../ids.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import { newWebhookSecret } from '../webhooks/signature.ts';
import { loadScript, text } from './scripts.ts';

const scripts = {
  save: loadScript('webhook-save'),
  disable: loadScript('webhook-disable'),
  rotate: loadScript('webhook-rotate'),
  remove: loadScript('webhook-remove'),
};

/** The most endpoints of a tenant. There is a limit because each endpoint gets a delivery of every event. */
export const maxWebhooks = 50;
/** After a rotation, the old secret also signs for this long (API.md). */
const overlapMs = 24 * 3_600_000;

export type StoredWebhook = Webhook & { tenant: string };

export type WebhookStore = ReturnType<typeof createWebhookStore>;

/** Registered endpoints. Their secrets are stored encrypted and are used only to sign. */
export function createWebhookStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  const context = (id: string) => `webhook:${id}`;
  const subscriberKeys = (tenant: string) =>
    eventPatterns.map((pattern) => keys.subscribers(tenant, pattern));

  function save(tenant: string, id: string, max: number | '', webhook: Webhook, more: (string | Buffer)[]) {
    const subscribed = eventPatterns.map((pattern) =>
      webhook.enabled && webhook.events.includes(pattern) ? '1' : '0',
    );
    return scripts.save(
      redis,
      [keys.webhook(id), keys.tenantWebhooks(tenant), ...subscriberKeys(tenant)],
      [
        id,
        max,
        subscribed.join(''),
        ...['tenant', tenant, 'url', webhook.url, 'events', JSON.stringify(webhook.events)],
        ...['enabled', webhook.enabled ? '1' : '0', 'disabledReason', webhook.disabledReason ?? ''],
        ...['createdAt', webhook.createdAt, 'updatedAt', webhook.updatedAt],
        ...more,
      ],
    );
  }

  return {
    /** `undefined` if the tenant has too many endpoints. */
    async create(
      tenant: string,
      wanted: { url: string; events: EventPattern[] },
    ): Promise<(Webhook & { secret: string }) | undefined> {
      const id = newId('whk');
      const now = new Date().toISOString();
      const secret = newWebhookSecret();
      const webhook: Webhook = {
        id,
        url: wanted.url,
        events: [...new Set(wanted.events)],
        enabled: true,
        disabledReason: null,
        secretExpiresAt: null,
        createdAt: now,
        updatedAt: now,
      };
      const sealed = sealer.seal(secret, context(id));
      const reply = await save(tenant, id, maxWebhooks, webhook, ['secret', sealed]);
      return text(reply) === 'full' ? undefined : { ...webhook, secret };
    },

    async find(id: string): Promise<StoredWebhook | undefined> {
      return parse(id, await redis.hgetall(keys.webhook(id)));
    },

    /** In the order they were made; at most `maxWebhooks`. */
    async list(tenant: string): Promise<Webhook[]> {
      const ids = await redis.zrange(keys.tenantWebhooks(tenant), '0', '-1');
      const all = await Promise.all(ids.map((id) => this.find(id)));
      return all.flatMap((one) => (one === undefined ? [] : [presentWebhook(one)]));
    },

    /** `undefined` when it is gone. */
    async update(
      webhook: StoredWebhook,
      patch: { url?: string | undefined; events?: EventPattern[] | undefined; enabled?: boolean | undefined },
    ): Promise<StoredWebhook | undefined> {
      const enabled = patch.enabled ?? webhook.enabled;
      const changed: StoredWebhook = {
        ...webhook,
        url: patch.url ?? webhook.url,
        events: patch.events === undefined ? webhook.events : [...new Set(patch.events)],
        enabled,
        disabledReason: enabled ? null : patch.enabled === false ? 'owner' : webhook.disabledReason,
        updatedAt: new Date().toISOString(),
      };
      const reply = await save(webhook.tenant, webhook.id, '', changed, []);
      return text(reply) === 'gone' ? undefined : changed;
    },

    /** Returns the new secret; the old one also signs for a day. `undefined` if the endpoint is gone. */
    async rotate(id: string): Promise<{ secret: string; until: string } | undefined> {
      const secret = newWebhookSecret();
      const until = Date.now() + overlapMs;
      const reply = await scripts.rotate(
        redis,
        [keys.webhook(id)],
        [sealer.seal(secret, context(id)), until, new Date().toISOString()],
      );
      return text(reply) === 'gone' ? undefined : { secret, until: new Date(until).toISOString() };
    },

    async remove(webhook: StoredWebhook): Promise<boolean> {
      const reply = await scripts.remove(
        redis,
        [keys.webhook(webhook.id), keys.tenantWebhooks(webhook.tenant), ...subscriberKeys(webhook.tenant)],
        [webhook.id],
      );
      return text(reply) === 'removed';
    },

    /** The secrets that sign now, the newest first. Empty if the endpoint is gone. */
    async secrets(id: string, now = Date.now()): Promise<string[]> {
      const [secret, previous, until] = await redis.hmgetBuffer(
        keys.webhook(id),
        'secret',
        'previousSecret',
        'previousUntil',
      );
      const valid = previous && Number(until?.toString() ?? 0) > now ? previous : undefined;
      return [secret, valid].flatMap((box) => (box ? [sealer.open(box, context(id))] : []));
    },

    /** @param unlessDeliveredSince if the endpoint has accepted a delivery since this time (ms), it is not disabled */
    async disable(
      webhook: StoredWebhook,
      reason: DisabledReason,
      unlessDeliveredSince?: number,
    ): Promise<boolean> {
      const now = new Date();
      const reply = await scripts.disable(
        redis,
        [keys.webhook(webhook.id), keys.outbox, ...subscriberKeys(webhook.tenant)],
        [webhook.id, reason, now.getTime(), now.toISOString(), keys.outboxWake, unlessDeliveredSince ?? ''],
      );
      return text(reply) === 'disabled';
    },

    /** The ids of a tenant's endpoints that want events of this type. */
    async subscribers(tenant: string, type: EventType): Promise<string[]> {
      return redis.sunion(patternsFor(type).map((pattern) => keys.subscribers(tenant, pattern)));
    },
  };
}

/** The endpoint as answers show it. */
export function presentWebhook({ tenant: _, ...webhook }: StoredWebhook): Webhook {
  return webhook;
}

function parse(id: string, fields: Record<string, string>): StoredWebhook | undefined {
  const { tenant, url, events, enabled, disabledReason, createdAt, updatedAt, previousUntil } = fields;
  if (tenant === undefined || url === undefined) return undefined;
  const until = Number(previousUntil ?? 0);
  return {
    id,
    tenant,
    url,
    events: parseEvents(events),
    enabled: enabled === '1',
    disabledReason: (disabledReason || null) as DisabledReason | null,
    secretExpiresAt: until > Date.now() ? new Date(until).toISOString() : null,
    createdAt: createdAt ?? '',
    updatedAt: updatedAt ?? '',
  };
}

/** An endpoint whose list of events cannot be read subscribes to no events. Its owner sees that, and can set the list again. */
function parseEvents(text: string | undefined): EventPattern[] {
  try {
    const events: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(events) ? (events as EventPattern[]) : [];
  } catch {
    return [];
  }
}
