import { newId } from '../../../shared/ids.ts';
import { networkNamespace } from '../../../shared/network-namespace.ts';
import type { ServiceRecord } from '../../../shared/stores/service-record.ts';
import { tellsUsesEveryMs } from '../../../shared/stores/services.ts';
import type { Gateway } from '../gateway.ts';
import { addressOf } from './container-address.ts';
import type { Limits } from './http1/connection.ts';
import { createPool, type Pool } from './http1/pool.ts';
import type { Target } from './target.ts';

/** A service that somebody calls, as this gateway knows it. */
export type Known = {
  record: ServiceRecord;
  /** All by performance.now(). When it was last in use, of which use the store was told last, and when. */
  usedAt: number;
  toldAt: number;
  touchedAt: number;
  /** When the store last told how it is. */
  freshAt: number;
  loadedAt: number;
  /** Requests and connections that are under way. */
  open: number;
  /** Its record is no more. */
  gone: boolean;
  /** Who wants to hear of its changes. */
  waiting: Set<() => void>;
  pool: { of: string; record: ServiceRecord; pool: Pool } | undefined;
  looking: Promise<void> | undefined;
  touching: Promise<void> | undefined;
  /** A use that came soon after another is told a little later. */
  telling: NodeJS.Timeout | undefined;
  unlisten: () => void;
};

type Named = Target & { kind: 'name' | 'path' };

const never = Number.NEGATIVE_INFINITY;
const tickMs = 1_000;
/** What was heard so long ago is asked for again before it is relied on. In steady use that is told comes before. */
const freshMs = 2_000;
/** A store that does not answer holds up no service: what is known of it is used. */
const patienceMs = 500;
const forgetMs = 60_000;

export type KnownServices = ReturnType<typeof knowServices>;

/**
 * The services that are called, with their connections. They are looked up once; hints (pub/sub) and the answers of the touches
 * keep what is known of them right. A forwarded request asks the store nothing.
 *
 * Each use is told with its own time: the first after a while at once, others a little after the one that was told before, the end of
 * what takes long too. So what the store knows is never more than that behind, which is what an idle clock relies on.
 */
export function knowServices(gateway: Gateway, limits: Limits) {
  const { services, wakeups, keys, log } = gateway;
  const here = networkNamespace();
  const byId = new Map<string, Known>();
  const byName = new Map<string, Known>();
  const reading = new Map<string, Promise<ServiceRecord | undefined>>();
  /** No service has it. */
  const nobody = newId('svc');
  const nameOf = ({ head }: ServiceRecord) => `${head.tenant}/${head.name}`;

  function load(record: ServiceRecord): Known {
    const { id } = record.head;
    const known: Known = {
      record,
      usedAt: never,
      toldAt: never,
      touchedAt: never,
      freshAt: never,
      loadedAt: performance.now(),
      open: 0,
      gone: false,
      waiting: new Set(),
      pool: undefined,
      looking: undefined,
      touching: undefined,
      telling: undefined,
      unlisten: () => {},
    };
    byId.set(id, known);
    byName.set(nameOf(record), known);
    wakeups
      .listen(keys.serviceWake(id), (message) => (message === 'gone' ? drop(known) : void hint(known)))
      .then((unlisten) => {
        if (known.gone) return unlisten();
        known.unlisten = unlisten;
        // What happened before the subscription stood was not heard.
        return hint(known);
      })
      .catch((error: Error) => log.warn({ service: id, reason: error.message }, 'listening failed'));
    return known;
  }

  function drop(known: Known): void {
    known.gone = true;
    clearTimeout(known.telling);
    byId.delete(known.record.head.id);
    if (byName.get(nameOf(known.record)) === known) byName.delete(nameOf(known.record));
    known.unlisten();
    known.pool?.pool.close();
    for (const wake of known.waiting) wake();
  }

  function learn(known: Known, record: ServiceRecord | undefined): void {
    if (record === undefined) {
      drop(known);
      return;
    }
    known.record = record;
    known.freshAt = performance.now();
    if (known.pool !== undefined && known.pool.of !== poolName(record)) {
      known.pool.pool.close();
      known.pool = undefined;
    }
    for (const wake of known.waiting) wake();
  }

  /** Connections are kept for one start of one container. */
  const poolName = ({ generation, state }: ServiceRecord) =>
    `${generation} ${state.startedAt} ${JSON.stringify(state.place)}`;

  /** Reads its record anew; that is no use of it. */
  function look(known: Known): Promise<void> {
    known.looking ??= services
      .read(known.record.head.id)
      .then((record) => learn(known, record))
      .finally(() => {
        known.looking = undefined;
      });
    return known.looking;
  }

  async function hint(known: Known): Promise<void> {
    known.freshAt = never;
    if (known.open === 0) return;
    // One that is under way may have read what was before.
    await known.looking?.catch(() => {});
    await look(known).catch(() => {});
  }

  function touch(known: Known): Promise<void> {
    if (known.touching !== undefined) return known.touching;
    const now = performance.now();
    if (known.open > 0) known.usedAt = now;
    const { usedAt } = known;
    known.touchedAt = now;
    known.touching = services
      .touch(known.record.head.id, Math.round(Date.now() - (now - usedAt)))
      .then((glance) => {
        known.toldAt = Math.max(known.toldAt, usedAt);
        learn(known, glance && { ...known.record, ...glance });
      })
      .finally(() => {
        known.touching = undefined;
      });
    return known.touching;
  }

  const tell = (known: Known) => {
    touch(known).catch((error: Error) => log.warn({ reason: error.message }, 'touching failed'));
  };

  /** It is in use. */
  function note(known: Known, now: number): void {
    known.usedAt = now;
    if (known.telling !== undefined || known.gone) return;
    const everyMs = tellsUsesEveryMs(known.record.head.request.keepAlive);
    const dueInMs = known.touchedAt + everyMs - now;
    if (dueInMs <= 0 && known.touching === undefined) tell(known);
    known.telling = setTimeout(() => tellLater(known), dueInMs <= 0 ? everyMs : dueInMs).unref();
  }

  function tellLater(known: Known): void {
    known.telling = undefined;
    if (known.open > 0) note(known, performance.now());
    else if (known.usedAt > known.toldAt) tell(known);
  }

  async function readNamed(target: Named): Promise<ServiceRecord | undefined> {
    const id = target.kind === 'path' ? target.id : await services.byName(target.tenant, target.name);
    return services.read(id ?? nobody);
  }

  const ticking = setInterval(() => {
    const now = performance.now();
    for (const known of byId.values()) {
      known.pool?.pool.sweep();
      if (known.open > 0 || known.usedAt > known.toldAt) {
        if (now - known.touchedAt >= tickMs - 50) tell(known);
      } else if (now - Math.max(known.usedAt, known.loadedAt) > forgetMs) drop(known);
    }
  }, tickMs).unref();

  return {
    look,

    /** `undefined`: there is no such service, or it was not called for a while. */
    known: (target: Named): Known | undefined =>
      target.kind === 'path' ? byId.get(target.id) : byName.get(`${target.tenant}/${target.name}`),

    /** Asks the store for what it asks for also where there is no such service, so that nobody can tell by the time. Together with others who ask meanwhile. */
    read(target: Named): Promise<ServiceRecord | undefined> {
      const name = target.kind === 'path' ? target.id : `${target.tenant}/${target.name}`;
      const read = reading.get(name) ?? readNamed(target).finally(() => reading.delete(name));
      reading.set(name, read);
      return read;
    },

    /** From now on it is known. For one that may be called: what strangers ask for is not kept. */
    know: (record: ServiceRecord): Known => byId.get(record.head.id) ?? load(record),

    /** Notes a use, and makes sure that what is known is not old. `undefined`: it is not. */
    use(known: Known): Promise<void> | undefined {
      const now = performance.now();
      known.usedAt = now;
      const news = now - known.freshAt < freshMs ? undefined : touch(known).catch(() => {});
      note(known, now);
      if (news === undefined) return undefined;
      let patience: NodeJS.Timeout | undefined;
      const wait = new Promise<void>((resolve) => {
        patience = setTimeout(resolve, patienceMs);
      });
      return Promise.race([news, wait]).finally(() => clearTimeout(patience));
    },

    /** One of those that are `open` is over. */
    leave(known: Known): void {
      known.open -= 1;
      note(known, performance.now());
    },

    /** The connections to its container. `undefined`: it has none, or not this port. */
    poolOf(known: Known): Pool | undefined {
      const { record } = known;
      if (known.pool?.record === record) return known.pool.pool;
      const of = poolName(record);
      const address = addressOf(record, here);
      if (address === undefined) return undefined;
      let pool = known.pool?.pool;
      if (pool === undefined || known.pool?.of !== of) {
        pool?.close();
        pool = createPool(address, limits);
      }
      known.pool = { of, record, pool };
      return pool;
    },

    close(): void {
      clearInterval(ticking);
      for (const known of [...byId.values()]) {
        known.pool?.pool.destroy();
        drop(known);
      }
    },
  };
}
