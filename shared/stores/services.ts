import { maskService, type ServiceRequest } from '../contracts/service.ts';
import { type EventType, patternsFor } from '../contracts/webhook.ts';
import type { Keys } from '../keys.ts';
import { Problem } from '../problems.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';
import type { ServiceStatus, ServiceWanted } from '../service-states.ts';
import { isStoreError } from '../store-errors.ts';
import { systemBytesProblem, tenantBytesProblem } from './byte-quota.ts';
import { hookContext, serviceEventContext } from './outbox.ts';
import { loadScript, loadVitalScript, text } from './scripts.ts';
import { openService, sealService, serviceHeadOf } from './service-parts.ts';
import {
  emptyServiceState,
  parseService,
  parseServiceState,
  type ServiceHead,
  type ServiceRecord,
  type ServiceState,
  serviceFields,
} from './service-record.ts';

const scripts = {
  create: loadScript('service-create'),
  assign: loadVitalScript('service-assign'),
  want: loadVitalScript('service-want'),
  report: loadVitalScript('due', 'service-report'),
  idle: loadVitalScript('service-idle'),
  touch: loadVitalScript('service-touch'),
  gone: loadVitalScript('free-bytes', 'service-gone'),
};

/**
 * The store is told of a service's uses so often, of each by its own time: of the first after a while at once, of the last so long after it
 * at most. A clock that runs for a second must know better than one that runs for ten minutes.
 */
export const tellsUsesEveryMs = (keepAlive: number | 'forever'): number =>
  keepAlive === 'forever' ? 1_000 : Math.max(200, Math.min(1_000, keepAlive / 4));

/** Who writes: the fence of a worker's every write. */
export type ServiceHolder = { id: string; tenant: string; worker: string; generation: number };

export type ServiceEvent = { type: EventType; body: string };

/** What is known of a service at the moment of its use. */
export type ServiceGlance = {
  status: ServiceStatus;
  wanted: ServiceWanted;
  generation: number;
  state: ServiceState;
};

/** How many services a tenant may have, and how much requests may take, those of runs too (RunBounds). */
export type ServiceBounds = { most: number; tenantBytes?: number; systemBytes?: number };

export type ServiceStore = ReturnType<typeof createServiceStore>;

/** Every read and write of a service. */
export function createServiceStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  async function request(head: ServiceHead): Promise<ServiceRequest | undefined> {
    const [payload, spec] = await redis.hmgetBuffer(keys.service(head.id), 'payload', 'spec');
    return openService(sealer, head, payload, spec);
  }

  return {
    /** Stores a new service. Throws 409 when the name is taken, 429 or 503 when the tenant has too many, or all have. */
    async create(
      head: Omit<ServiceHead, 'request' | 'told'>,
      request: ServiceRequest,
      bounds: ServiceBounds,
    ): Promise<ServiceRecord> {
      const { id, tenant, name } = head;
      const hook =
        request.webhook === undefined
          ? ''
          : sealer.seal(JSON.stringify(request.webhook), hookContext(id)).toString('base64');
      const reply = (await scripts.create(
        redis,
        [
          keys.service(id),
          keys.services,
          keys.tenantServices(tenant),
          keys.serviceNames(tenant),
          keys.tenantBytes(tenant),
          keys.stats,
        ],
        [
          id,
          name,
          JSON.stringify(serviceHeadOf(head, request)),
          sealService(sealer, id, request),
          bounds.most,
          Date.now(),
          hook,
          bounds.tenantBytes ?? Number.MAX_SAFE_INTEGER,
          bounds.systemBytes ?? Number.MAX_SAFE_INTEGER,
        ],
      )) as unknown[];
      const outcome = text(reply[0]);
      if (outcome === 'name_taken')
        throw new Problem(
          'conflict',
          `The name ${name} is taken by ${text(reply[1])}: remove that service first, or choose another name.`,
          { issues: [{ path: 'name', message: 'is taken' }] },
        );
      if (outcome === 'full')
        throw new Problem(
          'quota_exceeded',
          `A tenant may have ${bounds.most} services: remove one that is not used.`,
        );
      if (outcome === 'tenant_bytes_full')
        throw tenantBytesProblem(reply.slice(1).map(text), bounds.tenantBytes);
      if (outcome === 'system_bytes_full') throw systemBytesProblem();
      const record = await this.read(id);
      if (record === undefined) throw new Error('a service vanished as it was made');
      return record;
    },

    async read(id: string): Promise<ServiceRecord | undefined> {
      return parseService(await redis.hmget(keys.service(id), ...serviceFields));
    },

    async byName(tenant: string, name: string): Promise<string | undefined> {
      return (await redis.hget(keys.serviceNames(tenant), name)) ?? undefined;
    },

    /** The request as it came, but for the secret of its webhook; `undefined` when it is gone. */
    request,

    /** With its whole request, secrets masked, as far as that opens. */
    async whole(record: ServiceRecord): Promise<ServiceRecord> {
      try {
        const opened = await request(record.head);
        return opened === undefined ? record : { ...record, request: maskService(opened) };
      } catch (error) {
        if (isStoreError(error)) throw error;
        // What is known of it is shown all the same, and it can be removed.
        return record;
      }
    },

    /** A tenant's ids, newest first, that come after `before`. */
    async ids(tenant: string, before: string | undefined, count: number): Promise<string[]> {
      const from = before === undefined ? '+' : `(${before}`;
      return redis.zrevrangebylex(keys.tenantServices(tenant), from, '-', 'LIMIT', 0, count);
    },

    /** All of all tenants. */
    async all(): Promise<string[]> {
      return redis.zrange(keys.services, '0', '-1');
    },

    /**
     * False: somebody else was quicker. On the same engine it is adopted as it is; on another one it is starting, and is reached
     * again when its new worker says so.
     */
    async assign(record: ServiceRecord, worker: string, engine: string): Promise<boolean> {
      const { id } = record.head;
      const elsewhere: ServiceState = { ...emptyServiceState, restarts: record.state.restarts };
      const reply = await scripts.assign(
        redis,
        [keys.service(id)],
        [record.generation, worker, engine, keys.serviceWake(id), JSON.stringify(elsewhere)],
      );
      return text(reply) === 'assigned';
    },

    /** Says what is wanted of it from now on, and that it is in use. `undefined` when it is gone. */
    async want(
      id: string,
      what: 'running' | 'wake' | 'stopped' | 'removed' | 'restart' | 'used',
      usedAt = Date.now(),
    ): Promise<{ changed: boolean; worker: string | undefined } | undefined> {
      const reply = (await scripts.want(
        redis,
        [keys.service(id)],
        [what, usedAt, keys.serviceWake(id)],
      )) as unknown[];
      const outcome = text(reply[0]);
      if (outcome === 'gone') return undefined;
      return { changed: outcome === 'changed', worker: text(reply[1]) || undefined };
    },

    /** `undefined` when it is gone. */
    async touch(id: string, now = Date.now()): Promise<ServiceGlance | undefined> {
      const reply = (await scripts.touch(redis, [keys.service(id)], [now])) as unknown[];
      if (reply.length === 0) return undefined;
      const [status, wanted, generation, state] = reply.map(text);
      return {
        status: status as ServiceStatus,
        wanted: wanted as ServiceWanted,
        generation: Number(generation),
        state: parseServiceState(state),
      };
    },

    /**
     * @param whileWanted the report is dropped (`unwanted`) when something else is wanted by now
     * @param event goes to the outbox when the status is another one than before
     */
    async report(
      holder: ServiceHolder,
      status: ServiceStatus,
      state: ServiceState,
      { whileWanted, event }: { whileWanted?: ServiceWanted; event?: ServiceEvent } = {},
    ): Promise<'reported' | 'lost' | 'unwanted'> {
      const { id, tenant } = holder;
      const type = event?.type ?? 'service.ready';
      const reply = await scripts.report(
        redis,
        [
          keys.service(id),
          keys.outbox,
          keys.outboxBodies,
          keys.listeners(tenant),
          ...patternsFor(type).map((pattern) => keys.subscribers(tenant, pattern)),
        ],
        [
          id,
          holder.worker,
          holder.generation,
          status,
          JSON.stringify(state),
          keys.serviceWake(id),
          Date.now(),
          whileWanted ?? '',
          event?.type ?? '',
          event === undefined ? '' : sealer.seal(event.body, serviceEventContext(id)).toString('base64'),
          keys.outboxWake,
          tenant,
        ],
      );
      return text(reply) as 'reported' | 'lost' | 'unwanted';
    },

    /** `idle`: it is wanted no more. `used`: somebody called it since `usedBefore`. */
    async goIdle(
      holder: ServiceHolder,
      usedBefore: number,
      to: 'idle' | 'stopped' | 'removed',
    ): Promise<'idle' | 'used' | 'lost' | 'unwanted'> {
      const reply = await scripts.idle(
        redis,
        [keys.service(holder.id)],
        [holder.worker, holder.generation, usedBefore, to, keys.serviceWake(holder.id)],
      );
      return text(reply) as 'idle' | 'used' | 'lost' | 'unwanted';
    },

    /** Takes its record away. @param worker undefined: its worker is dead, and a janitor does it */
    async gone(record: ServiceRecord, worker: string | undefined): Promise<boolean> {
      const { id, tenant, name } = record.head;
      const reply = await scripts.gone(
        redis,
        [
          keys.service(id),
          keys.services,
          keys.tenantServices(tenant),
          keys.serviceNames(tenant),
          keys.serviceExecs(id),
          keys.tenantBytes(tenant),
          keys.stats,
        ],
        [id, name, worker ?? '', record.generation, keys.serviceWake(id)],
      );
      return text(reply) === 'removed';
    },
  };
}
