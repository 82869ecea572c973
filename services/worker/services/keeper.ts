import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../../../shared/contracts/service.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ServiceStatus, ServiceWanted } from '../../../shared/service-states.ts';
import { serviceEvent } from '../../../shared/stores/service-event.ts';
import {
  emptyServiceState,
  type ServiceRecord,
  type ServiceState,
} from '../../../shared/stores/service-record.ts';
import { type ServiceHolder, type ServiceStore, tellsUsesEveryMs } from '../../../shared/stores/services.ts';
import type { DiskWatch } from '../disk/watch.ts';
import type { ContainerState } from '../engine/containers.ts';
import type { Ledger, Reservation } from '../node/ledger.ts';
import type { ServiceContainers } from './containers.ts';
import { createServiceDisk } from './disk.ts';
import { endProblem, ranMs } from './end.ts';
import { untilReady } from './readiness.ts';
import { createRestartPolicy } from './restart-policy.ts';

/** A record may change without a hint: it is looked at so often. */
const lookMs = 1_000;
/** Of the time between two words of uses: what is lost, or late, of them by less than this puts no service to sleep too early. */
const idleSlack = 1.5;
/** One that cannot be executed, or ends at once, is never ready: by then its end is known. */
const beginsMs = 200;
/** What is being stopped to sleep is told to be asleep when it is down, or after this. */
const fallingAsleepMs = 500;
/** What is on its way between gateways, store and workers has come by then. */
const hearsayMs = 50;
/** Somebody wants it while it is being stopped: it has so long to end by itself, and is killed then. */
const hurriedGraceMs = 2_000;
/** An end is believed to be its own when the engine lives on for so long: before a next start, and where none follows. */
const settlingMs = 500;
const settledMs = 3_000;

export type ServiceKeeper = ReturnType<typeof createServiceKeeper>;

/**
 * Keeps one service: brings what is there to what is wanted (service-states.ts), again and again, until the service is removed or
 * another worker's. One thing at a time, so a hundred wishes make one start.
 *
 *   wanted     container           what is done
 *   running    none                pull, create, start, wait until it is ready
 *   running    there, not running  its end: by the restart policy; or a fresh start was asked for: start
 *   running    running             wait until it is ready; then watch its end and its idle clock
 *   idle, stopped   running        stop it; the container stays, with what it wrote
 *   removed    any                 stop it, remove it and its network; then the record goes
 */
export function createServiceKeeper(options: {
  record: ServiceRecord;
  workerId: string;
  store: ServiceStore;
  containers: ServiceContainers;
  disk: Pick<DiskWatch, 'watch'>;
  ledger: Ledger;
  present: (record: ServiceRecord) => Promise<Service>;
  onEnd: () => void;
  log: Log;
}) {
  const { store, containers, ledger, workerId } = options;
  const { id, tenant, request } = options.record.head;
  const log = options.log.child({ service: id });
  const policy = createRestartPolicy(request.restart);
  let record = options.record;
  const nodeWasLost = record.state.error?.code === 'node_lost';
  let holder: ServiceHolder = { id, tenant, worker: workerId, generation: record.generation };
  let state: ServiceState = { ...emptyServiceState, ...record.state };
  let reservation: Reservation | undefined;
  /** The fresh start that was carried out last; of an adopted service all that were asked for before. */
  let startedFor = record.restart;
  /** What ended for good, until a fresh start is asked for. */
  let settledFor =
    (record.status === 'failed' && !nodeWasLost) || record.status === 'stopped' ? record.restart : -1;
  let readySince: number | undefined;
  let nextStartAt = 0;
  /** Since the container was seen running. */
  let engineWasAway = nodeWasLost;
  let woken = Promise.withResolvers<void>();
  let leaving = false;
  let interrupt = new AbortController();
  const beganAt = Date.now();
  /** Explicit restarts that were carried out. */
  let bouncedFor = record.bounce;
  /** The container whose end is waited for. */
  let watched = '';

  const disk = createServiceDisk({
    disk: options.disk,
    request,
    kill: containers.kill,
    onOver: () => {
      woken.resolve();
      interrupt.abort();
    },
  });

  const rest = async (ms: number) => {
    const timer = setTimeout(() => woken.resolve(), Math.max(1, ms));
    await woken.promise;
    clearTimeout(timer);
    woken = Promise.withResolvers();
  };

  /** @param whileWanted as long as no more than this is wanted of it: else nothing is said */
  async function report(
    status: ServiceStatus,
    more: Partial<ServiceState>,
    whileWanted?: ServiceWanted,
  ): Promise<void> {
    const next = { ...state, ...more };
    if (record.status === status && isDeepStrictEqual(next, state)) return;
    const changed = { ...record, status, state: next };
    const event = status === record.status ? undefined : serviceEvent(status, await options.present(changed));
    const answer = await store.report(holder, status, next, {
      ...(event && { event }),
      ...(whileWanted && { whileWanted }),
    });
    if (answer === 'lost') throw new Lost();
    if (answer === 'unwanted') return;
    state = next;
    record = changed;
  }

  function release(): void {
    reservation?.release();
    reservation = undefined;
  }

  /** Memory is held as long as it runs. CPUs are not: a service mostly waits, and runs share them by weight. */
  async function reserve(): Promise<boolean> {
    if (reservation !== undefined) return true;
    const need = { memoryBytes: request.limits.memoryBytes, cpus: 0 };
    reservation = ledger.take(need);
    if (reservation !== undefined) return true;
    const error = new Problem(
      'insufficient_capacity',
      `The worker has no room for ${need.memoryBytes} bytes at present; it starts as soon as there is.`,
    ).toBody();
    await report('starting', { error, place: null });
    return false;
  }

  async function bringUp(container: ContainerState | null): Promise<void> {
    if (settledFor === record.restart) return;
    if (Date.now() < nextStartAt) return;
    if (!(await reserve())) return;
    startedFor = record.restart;
    readySince = undefined;
    if (record.status !== 'starting' && record.status !== 'crash_looping')
      await report('starting', { error: null });
    try {
      const { digest } = await containers.start(record, container);
      await report(record.status, { digest, startedAt: new Date().toISOString(), readyAt: null });
    } catch (error) {
      await giveUp(error);
    }
  }

  /** It cannot come up at all: that is the end, until somebody asks anew. */
  async function giveUp(error: unknown, more: Partial<ServiceState> = {}): Promise<void> {
    if (error instanceof Problem && error.code === 'engine_unavailable') throw error;
    if (!(error instanceof Problem)) log.error({ err: error }, 'service could not be started');
    const problem =
      error instanceof Problem
        ? error
        : new Problem('internal', 'The service could not be started for a reason on our side.');
    settledFor = record.restart;
    release();
    await report('failed', { ...more, error: problem.toBody(), place: null });
  }

  /** Its end is told at once: it wakes the loop, and interrupts what waits for it to be ready. */
  function watchEnd(container: string): void {
    if (watched === container) return;
    watched = container;
    const over = () => {
      if (watched !== container) return;
      watched = '';
      woken.resolve();
      interrupt.abort();
    };
    containers.ended(container).then(over, over);
  }

  async function waitForReady(container: ContainerState): Promise<void> {
    const place = containers.placeOf(container);
    const { health } = request;
    const port = request.port ?? request.tcpPorts[0];
    interrupt = new AbortController();
    const { signal } = interrupt;
    watchEnd(container.id);
    // What interrupts it does not give it more time. One that was adopted has its whole time again.
    const since = Math.max(Date.parse(container.startedAt ?? '') || 0, beganAt);
    const timeoutMs = Math.max(1, since + health.timeoutMs - Date.now());
    const outcome =
      port === undefined
        ? await stillRuns(signal)
        : await untilReady(place.address, { port, path: health.path }, { ...health, timeoutMs, signal });
    if (outcome === undefined) return;
    if (outcome !== 'ready') {
      const tail = await containers.lastWords(container.id);
      await containers.stop(container.id);
      return giveUp(
        new Problem(
          'service_not_ready',
          `It was not ready within ${health.timeoutMs} ms: ${outcome.failed}. Does it listen on all addresses, at this port?${tail}`,
        ),
      );
    }
    readySince = Date.now();
    // Its first idle clock begins when it can be used.
    await store.touch(id);
    await report('ready', { error: null, place, readyAt: new Date(readySince).toISOString() });
    log.info('service is ready');
  }

  async function afterItsEnd(container: ContainerState): Promise<void> {
    const { exitCode } = container;
    const failure = await containers.notExecuted(container);
    // It never ran.
    if (failure !== undefined) return giveUp(failure, { startedAt: null });
    // An engine that is being stopped ends its containers first, and answers for as long as that takes.
    if (!engineWasAway) await containers.watchEngine(policy.settles(exitCode) ? settledMs : settlingMs);
    const withEngine = engineWasAway;
    engineWasAway = false;
    const next = withEngine ? policy.endedWithEngine() : policy.ended(exitCode, ranMs(container));
    readySince = undefined;
    const lastWords = await containers.lastWords(container.id);
    const error = endProblem(container, request, { withEngine, next, lastWords });
    if (!next.again) {
      release();
      settledFor = record.restart;
      await store.goIdle(holder, Number.MAX_SAFE_INTEGER, 'stopped');
      return report(error === null ? 'stopped' : 'failed', { exitCode, error, place: null });
    }
    nextStartAt = Date.now() + next.waitMs;
    await report(next.looping ? 'crash_looping' : 'starting', {
      exitCode,
      error,
      place: null,
      restarts: state.restarts + 1,
    });
  }

  /** The end of an end that was noted already: only its wait is left. */
  let notedEnd = '';

  async function run(container: ContainerState | null): Promise<number> {
    const fresh = record.restart !== startedFor;
    if (fresh) {
      policy.forget();
      nextStartAt = 0;
      settledFor = -1;
      if (container?.running === true && record.bounce !== bouncedFor) {
        await containers.stop(container.id);
        container = await containers.inspect(id);
      } else if (container?.running === true) startedFor = record.restart;
      bouncedFor = record.bounce;
    }
    if (container?.running === true) {
      engineWasAway = false;
      disk.watch(container);
      watchEnd(container.id);
      if (readySince === undefined || record.status !== 'ready') {
        if (!(await reserve())) return lookMs;
        await waitForReady(container);
        return 1;
      }
      return watchIdle();
    }
    disk.leave();
    const end = container === null ? '' : `${container.id} ${container.finishedAt}`;
    if (
      !fresh &&
      container !== null &&
      container.startedAt !== null &&
      end !== notedEnd &&
      settledFor !== record.restart
    ) {
      await afterItsEnd(container);
      notedEnd = end;
    } else {
      notedEnd = end;
      if (!fresh && container === null && record.status === 'ready' && request.restart === 'never') {
        await giveUp(
          new Problem(
            'container_lost',
            'The container was removed by somebody else, and `restart` is "never".',
          ),
        );
      } else await bringUp(container);
    }
    return settledFor === record.restart ? lookMs : Math.max(1, Math.min(lookMs, nextStartAt - Date.now()));
  }

  async function watchIdle(): Promise<number> {
    if (request.keepAlive === 'forever') return lookMs;
    const livesMs = request.keepAlive + idleSlack * tellsUsesEveryMs(request.keepAlive);
    const left = record.lastUsedAt + livesMs - Date.now();
    if (left > 0) return Math.min(lookMs, left);
    const to = request.onIdle === 'remove' ? 'removed' : 'idle';
    const verdict = await store.goIdle(holder, Date.now() - livesMs + 1, to);
    if (verdict === 'lost') throw new Lost();
    if (verdict !== 'idle') return 1;
    // A call may have come on its way past us: gateways tell of it as they pass it on, and have just heard of this.
    await sleep(hearsayMs);
    const now = await store.read(id);
    if (now?.wanted === 'idle' && now.lastUsedAt > record.lastUsedAt)
      await store.want(id, 'wake', now.lastUsedAt);
    return 1;
  }

  async function putDown(container: ContainerState | null): Promise<number> {
    readySince = undefined;
    startedFor = record.restart;
    if (container?.running === true && (await stop(container.id)) === 'changed') return 1;
    release();
    await reportDown();
    return lookMs;
  }

  async function reportDown(): Promise<void> {
    const status = record.wanted === 'idle' ? 'idle' : 'stopped';
    if (record.status !== status && record.status !== 'failed')
      await report(status, { place: null, error: null }, record.wanted);
  }

  /** Stops it; one that is wanted again meanwhile has its grace cut short. Answers whether something else is wanted of it now. */
  async function stop(container: string): Promise<'as wanted' | 'changed'> {
    let over = false;
    const stopping = containers.stop(container).finally(() => {
      over = true;
      woken.resolve();
    });
    // Awaited below.
    stopping.catch(() => {});
    const asleepAt = Date.now() + fallingAsleepMs;
    for (;;) {
      const untilAsleep = asleepAt - Date.now();
      await rest(untilAsleep > 0 ? untilAsleep : lookMs);
      if (over) break;
      const now = await store.read(id);
      if (now === undefined || now.worker !== workerId) break;
      if (now.wanted === 'running') {
        await Promise.race([stopping, sleep(hurriedGraceMs)]);
        if (!over) await containers.kill(container);
        break;
      }
      if (record.wanted === 'idle' && now.wanted === 'idle' && Date.now() >= asleepAt) await reportDown();
    }
    await stopping;
    const now = await store.read(id);
    return now?.wanted === record.wanted ? 'as wanted' : 'changed';
  }

  async function remove(): Promise<void> {
    // First nobody is led there any more: what is sent to an address without its network leaves the machine.
    await report(record.status, { place: null });
    await containers.remove(record);
    release();
    await report('removed', { place: null });
    await store.gone(record, workerId);
  }

  /** What filled the disk goes, and does not come back unasked. Answers whether it was asked for anew meanwhile. */
  async function endForDisk(problem: Problem): Promise<boolean> {
    await containers.discard(id);
    disk.leave();
    readySince = undefined;
    if (record.restart !== startedFor) return true;
    log.warn('service was over its disk limit');
    await giveUp(problem);
    return false;
  }

  /** One look, and what follows from it. Answers when to look again; `undefined`: it is over. */
  async function turn(): Promise<number | undefined> {
    const now = await store.read(id);
    if (now === undefined || now.worker !== workerId) throw new Lost();
    if (now.generation !== holder.generation) holder = { ...holder, generation: now.generation };
    record = { ...now, state };
    if (record.wanted === 'removed') {
      await remove();
      return undefined;
    }
    const problem = disk.over();
    if (problem !== undefined && !(await endForDisk(problem))) return lookMs;
    const container = await containers.inspect(id);
    return record.wanted === 'running' ? run(container) : putDown(container);
  }

  async function loop(): Promise<void> {
    while (!leaving) {
      try {
        const wait = await turn();
        if (wait === undefined) return;
        await rest(wait);
      } catch (error) {
        if (error instanceof Lost) {
          log.warn('the service is another worker’s, or gone: what is left of it here is removed');
          await containers.remove(record).catch(() => {});
          return;
        }
        if (error instanceof Problem && error.code === 'engine_unavailable') engineWasAway = true;
        log.warn({ reason: (error as Error).message }, 'service waits');
        await rest(lookMs);
      }
    }
  }

  const done = loop().finally(() => {
    disk.leave();
    release();
    options.onEnd();
  });

  return {
    /** Its record has changed. */
    wake(): void {
      woken.resolve();
      interrupt.abort();
    },
    /** Leaves it as it is, running: the next worker adopts it. */
    async leave(): Promise<void> {
      leaving = true;
      this.wake();
      await done;
    },
  };
}

/** `undefined`: it has ended, or something else is the matter. */
async function stillRuns(signal: AbortSignal): Promise<'ready' | undefined> {
  await sleep(beginsMs, undefined, { signal }).catch(() => {});
  return signal.aborted ? undefined : 'ready';
}

class Lost extends Error {}
