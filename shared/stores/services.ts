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
 * How often the gateway tells the store that a service is in use. The first use after a pause is told at once; the last use is
 * told after this time at most. A `keepAlive` of a second needs this more often than one of ten minutes.
 */
export const tellsUsesEveryMs = (keepAlive: number | 'forever'): number =>
  keepAlive === 'forever' ? 1_000 : Math.max(200, Math.min(1_000, keepAlive / 4));

/** The worker that holds a service. Every write of a worker checks these values. */
export type ServiceHolder = { id: string; tenant: string; worker: string; generation: number };

export type ServiceEvent = { type: EventType; body: string };

/** What is known of a service at the moment of its use. */
export type ServiceGlance = {
  status: ServiceStatus;
  wanted: ServiceWanted;
  generation: number;
  state: ServiceState;
};

/** How many services a tenant may have, and how many bytes requests may take, including those of runs (RunBounds). */
export type ServiceBounds = { maxServices: number; tenantBytes?: number; systemBytes?: number };

export type ServiceStore = ReturnType<typeof createServiceStore>;

/** Every read and write of a service. */
export function createServiceStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  async function request(head: ServiceHead): Promise<ServiceRequest | undefined> {
    const [payload, spec] = await redis.hmgetBuffer(keys.service(head.id), 'payload', 'spec');
    return openService(sealer, head, payload, spec);
  }

  return {
    /**
     * Stores a new service. Throws 409 if the name is taken, and 429 or 503 if the tenant, or all tenants together, have too
     * much.
     */
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
          bounds.maxServices,
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
          `A tenant may have ${bounds.maxServices} services: remove one that is not used.`,
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

    /** The request as it came, without the secret of its webhook; `undefined` if the service is gone. */
    request,

    /** The record with its whole request (secrets masked), if the request can be opened. */
    async whole(record: ServiceRecord): Promise<ServiceRecord> {
      try {
        const opened = await request(record.head);
        return opened === undefined ? record : { ...record, request: maskService(opened) };
      } catch (error) {
        if (isStoreError(error)) throw error;
        // The rest of the record is shown, and the service can be removed.
        return record;
      }
    },

    /** A tenant's ids, newest first, that come after `before`. */
    async ids(tenant: string, before: string | undefined, count: number): Promise<string[]> {
      const from = before === undefined ? '+' : `(${before}`;
      return redis.zrevrangebylex(keys.tenantServices(tenant), from, '-', 'LIMIT', 0, count);
    },

    /** The ids of all services of all tenants. */
    async all(): Promise<string[]> {
      return redis.zrange(keys.services, '0', '-1');
    },

    /**
     * Gives a service to a worker. False: somebody else was quicker. On the same engine, the worker takes over the container as
     * it is. On another engine the service is starting, and can be reached again when its new worker says so.
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

    /** Sets what is wanted of the service from now on, and that it is in use. `undefined` if it is gone. */
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
     * @param whileWanted the report is dropped (`unwanted`) if something else is wanted by now
     * @param event is put into the outbox if the status has changed
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

    /** `idle`: the service is to be stopped. `used`: somebody has called it since `usedBefore`. */
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

    /** Removes its record. @param worker undefined: its worker is dead, and the janitor removes the record */
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
