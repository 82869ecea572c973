import type { EventType } from '../contracts/webhook.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import { wholeRecord } from './run-reading.ts';
import { type RunRecord, recordFields } from './run-record.ts';

/**
 * What is due after the end of a run: deliveries to endpoints and to the address that the run itself named, and an event for
 * those who watch.
 */
export type DueRun = Own & {
  record: RunRecord;
  endpoints: string[];
  streamed: boolean;
};

/** The address that a run or a service itself named, with its secret. */
type Own = {
  own: { url: string; secret: string } | undefined;
  /** True if there is an address, but it can never be opened again. */
  ownLost: boolean;
};

/** An event of a service. Its body was made when the event happened. */
export type DueServiceEvent = Own & {
  tenant: string;
  type: EventType;
  body: string;
  endpoints: string[];
  streamed: boolean;
};

/** The whole schedule of a delivery (RUNLET_WEBHOOK_SCHEDULE_MS) takes about three days. */
const longestTryMs = 3 * 24 * 3_600_000;

export type OutboxStore = ReturnType<typeof createOutboxStore>;

/**
 * Events that have no deliveries yet: ids of runs that ended (finish.lua) and of endpoints that were disabled
 * (webhook-disable.lua), added in the same step that made the change. publish.lua takes them out.
 */
export function createOutboxStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  /**
   * If an address cannot be opened, RUNLET_SECRET_KEY may be wrong, and an operator can correct that. So the other receivers of
   * the event wait too. They wait until this key has opened another box (then it is the right key), and no longer than a
   * delivery is tried.
   */
  function openHook(box: Buffer | null, id: string, happenedAt: string | null): Own {
    if (box === null) return { own: undefined, ownLost: false };
    try {
      return { own: JSON.parse(sealer.open(box, hookContext(id))), ownLost: false };
    } catch (error) {
      const ageMs = Date.now() - Date.parse(happenedAt ?? '');
      if (sealer.proven() || !(ageMs < longestTryMs)) return { own: undefined, ownLost: true };
      throw error;
    }
  }

  /** `undefined` if it can never be opened; see `openHook`. */
  function openBody({ body, service }: ServiceEntry): string | undefined {
    // An earlier version stored it in plain text.
    if (body.startsWith('{')) return body;
    try {
      return sealer.open(Buffer.from(body, 'base64'), serviceEventContext(service));
    } catch (error) {
      if (sealer.proven()) return undefined;
      throw error;
    }
  }

  return {
    /** The members that have waited longest. */
    async oldest(count: number): Promise<string[]> {
      return redis.zrangebyscore(keys.outbox, '-inf', Date.now(), 'LIMIT', 0, count);
    },

    /** A hint to the notifiers that there is something new. */
    async wake(id: string): Promise<void> {
      await redis.publish(keys.outboxWake, id);
    },

    /** For a member that cannot be handled now: other members come first for the next `ms`. */
    async postpone(member: string, ms: number): Promise<void> {
      await redis.zadd(keys.outbox, 'XX', Date.now() + ms, member);
    },

    /** How long the oldest member has waited, in ms; 0 if none waits. */
    async lagMs(now = Date.now()): Promise<number> {
      const [, score] = await redis.zrange(keys.outbox, '0', '0', 'WITHSCORES');
      return score === undefined ? 0 : Math.max(0, now - Number(score));
    },

    async size(): Promise<number> {
      return redis.zcard(keys.outbox);
    },

    /** For a member whose record is gone, or for which nothing is due. */
    async discard(member: string): Promise<void> {
      await redis.zrem(keys.outbox, member);
      await redis.hdel(keys.outboxBodies, member);
    },

    /** `undefined` if nothing is due for this run any more. */
    async due(runId: string): Promise<DueRun | undefined> {
      const key = keys.run(runId);
      const [due, hook = null, payload, ...fields] = await redis.hmgetBuffer(
        key,
        'due',
        'hook',
        'payload',
        ...recordFields,
      );
      const record = wholeRecord(sealer, runId, fields, payload);
      if (record === undefined || !due) return undefined;
      const names = due.toString().split(' ');
      return {
        record,
        endpoints: names.filter((name) => name.startsWith('whk_')),
        ...openHook(hook, runId, record.state.finishedAt),
        streamed: names.includes('stream'),
      };
    },

    /** `undefined` if the event was already published, or cannot be read. */
    async dueOfService(member: string): Promise<DueServiceEvent | undefined> {
      const entry = await redis.hget(keys.outboxBodies, member);
      if (entry === null) return undefined;
      const parsed = parseServiceEntry(entry);
      if (parsed === undefined) return undefined;
      const { tenant, type, due, hook, service } = parsed;
      const body = openBody(parsed);
      if (body === undefined) return undefined;
      return {
        tenant,
        type,
        body,
        endpoints: due.filter((name) => name.startsWith('whk_')),
        ...openHook(hook === '' ? null : Buffer.from(hook, 'base64'), service, timestampOf(body)),
        streamed: due.includes('stream'),
      };
    },

    /** Marks that somebody watches a tenant's events for the next `ms`. Events of this time are put on the tenant's stream. */
    async watch(tenant: string, ms: number): Promise<void> {
      await redis.set(keys.listeners(tenant), '1', 'PX', ms);
    },

    async watched(tenant: string): Promise<boolean> {
      return (await redis.exists(keys.listeners(tenant))) === 1;
    },
  };
}

type ServiceEntry = {
  tenant: string;
  type: EventType;
  body: string;
  due: string[];
  hook: string;
  service: string;
};

function parseServiceEntry(entry: string): ServiceEntry | undefined {
  try {
    const { tenant, type, body, due, hook, service } = JSON.parse(entry) as Partial<ServiceEntry>;
    if (!tenant || !type || typeof body !== 'string' || !Array.isArray(due) || !service) return undefined;
    return { tenant, type, body, due, hook: hook ?? '', service };
  } catch {
    return undefined;
  }
}

function timestampOf(body: string): string | null {
  try {
    return (JSON.parse(body) as { timestamp: string }).timestamp;
  } catch {
    return null;
  }
}

/** Binds the sealed body of an event in the outbox to its service. */
export const serviceEventContext = (serviceId: string) => `service-event:${serviceId}`;

/** Binds the sealed address and secret, which a run named, to that run. */
export const hookContext = (runId: string) => `hook:${runId}`;
