import type { EventType } from '../contracts/webhook.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import { parseRecord, type RunRecord, recordFields } from './run-record.ts';

/** What a run's end made due: which endpoints, the address it named itself, and whether somebody watches. */
export type DueRun = {
  record: RunRecord;
  endpoints: string[];
  own: { url: string; secret: string } | undefined;
  streamed: boolean;
};

/** An event of a service, its body as it was when it happened. */
export type DueServiceEvent = {
  tenant: string;
  type: EventType;
  body: string;
  endpoints: string[];
  own: { url: string; secret: string } | undefined;
  streamed: boolean;
};

export type OutboxStore = ReturnType<typeof createOutboxStore>;

/**
 * Events that have happened and are no deliveries yet: ids of runs that ended (finish.lua) and of endpoints that were disabled
 * (webhook-disable.lua), put here in the very step that made it so. publish.lua takes them out.
 */
export function createOutboxStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  return {
    /** Those that wait longest. */
    async oldest(count: number): Promise<string[]> {
      return redis.zrangebyscore(keys.outbox, '-inf', Date.now(), 'LIMIT', 0, count);
    },

    /** Something is wrong with it: it keeps its place, but others come first for `ms`. */
    async postpone(member: string, ms: number): Promise<void> {
      await redis.zadd(keys.outbox, 'XX', Date.now() + ms, member);
    },

    /** How long the oldest has waited, in ms; 0 when nothing waits. */
    async lagMs(now = Date.now()): Promise<number> {
      const [, score] = await redis.zrange(keys.outbox, '0', '0', 'WITHSCORES');
      return score === undefined ? 0 : Math.max(0, now - Number(score));
    },

    async size(): Promise<number> {
      return redis.zcard(keys.outbox);
    },

    /** Its record is gone, or nothing is due: nobody can make anything of it. */
    async discard(member: string): Promise<void> {
      await redis.zrem(keys.outbox, member);
    },

    /** `undefined` when nothing is due for this run any more. */
    async due(runId: string): Promise<DueRun | undefined> {
      const key = keys.run(runId);
      const [fields, due, hook] = await Promise.all([
        redis.hmget(key, ...recordFields),
        redis.hget(key, 'due'),
        redis.hgetBuffer(key, 'hook'),
      ]);
      const record = parseRecord(fields);
      if (record === undefined || due === null) return undefined;
      const names = due.split(' ');
      return {
        record,
        endpoints: names.filter((name) => name.startsWith('whk_')),
        own: hook === null ? undefined : JSON.parse(sealer.open(hook, hookContext(runId))),
        streamed: names.includes('stream'),
      };
    },

    /** `undefined` when it has been published. */
    async dueOfService(member: string): Promise<DueServiceEvent | undefined> {
      const entry = await redis.hget(keys.outboxBodies, member);
      if (entry === null) return undefined;
      const { tenant, type, body, due, hook, service } = JSON.parse(entry) as {
        tenant: string;
        type: EventType;
        body: string;
        due: string[];
        hook: string;
        service: string;
      };
      return {
        tenant,
        type,
        body,
        endpoints: due.filter((name) => name.startsWith('whk_')),
        own:
          hook === ''
            ? undefined
            : JSON.parse(sealer.open(Buffer.from(hook, 'base64'), hookContext(service))),
        streamed: due.includes('stream'),
      };
    },

    /** Somebody watches a tenant's events for the next `ms`: those that happen meanwhile are put on its stream. */
    async watch(tenant: string, ms: number): Promise<void> {
      await redis.set(keys.listeners(tenant), '1', 'PX', ms);
    },

    async watched(tenant: string): Promise<boolean> {
      return (await redis.exists(keys.listeners(tenant))) === 1;
    },
  };
}

/** Binds the sealed address and secret that a run named to the run. */
export const hookContext = (runId: string) => `hook:${runId}`;
