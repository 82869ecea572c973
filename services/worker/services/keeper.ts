import type { Service } from '../../../shared/contracts/service.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { ServiceRecord, ServiceState } from '../../../shared/stores/service-record.ts';
import type { ServiceStore } from '../../../shared/stores/services.ts';
import type { DiskWatch } from '../disk/watch.ts';
import type { ContainerState } from '../engine/containers.ts';
import type { Ledger, Reservation } from '../node/ledger.ts';
import { createAlarm } from './alarm.ts';
import type { ServiceContainers } from './containers.ts';
import {
  type Action,
  decide,
  downStatus,
  endOf,
  firstMemory,
  forgetEnds,
  isFresh,
  lookMs,
  restMs,
} from './decide.ts';
import { createServiceDisk } from './disk.ts';
import { endProblem, ranMs } from './end.ts';
import { createEndWatch } from './end-watch.ts';
import { watchIdle } from './idle.ts';
import { createOwnRecord, Lost } from './own-record.ts';
import { untilServiceReady } from './readiness.ts';
import { afterEnd, endsForGood } from './restart-policy.ts';
import { stopContainer } from './stopping.ts';

/** An engine that stops ends its containers first: one that still answers after this is not what ended a service. */
const engineStaysMs = 500;
/** The same where nothing is started after the end: it is told once, and not corrected later. */
const engineStaysFinallyMs = 3_000;

type RunAction = Extract<Action, 'await-ready' | 'watch-idle' | 'handle-end' | 'give-up' | 'start' | 'rest'>;

export type ServiceKeeper = ReturnType<typeof createServiceKeeper>;

/**
 * Keeps one service: brings what is there to what is wanted (service-states.ts), again and again, until the service is removed or
 * another worker's. What it does next is decided in decide.ts; one thing at a time, so a hundred wishes make one start.
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
  const { id, request } = options.record.head;
  const log = options.log.child({ service: id });
  const alarm = createAlarm();
  const own = createOwnRecord(options);
  const ends = createEndWatch(containers, alarm.ring);
  const disk = createServiceDisk({
    disk: options.disk,
    request,
    kill: containers.kill,
    onOver: alarm.ring,
  });
  let memory = firstMemory(options.record);
  let reservation: Reservation | undefined;
  let leaving = false;
  const keptSince = Date.now();

  function release(): void {
    reservation?.release();
    reservation = undefined;
  }

  /** Memory is reserved as long as it runs. CPUs are not: a service mostly waits, and runs share them by weight. */
  async function reserve(): Promise<boolean> {
    if (reservation !== undefined) return true;
    const need = { memoryBytes: request.limits.memoryBytes, cpus: 0 };
    reservation = ledger.take(need);
    if (reservation !== undefined) return true;
    const error = new Problem(
      'insufficient_capacity',
      `The worker has no room for ${need.memoryBytes} bytes at present; it starts as soon as there is.`,
    ).toBody();
    await own.report('starting', { error, place: null });
    return false;
  }

  async function start(container: ContainerState | null): Promise<void> {
    memory.startedFor = own.now().restart;
    memory.ready = false;
    const { status } = own.now();
    if (status !== 'starting' && status !== 'crash_looping') await own.report('starting', { error: null });
    try {
      const { digest } = await containers.start(own.now(), container);
      await own.report(own.now().status, { digest, startedAt: new Date().toISOString(), readyAt: null });
    } catch (error) {
      await giveUp(error);
    }
  }

  /** It cannot be started at all: that is its end, until a fresh start is asked for. */
  async function giveUp(error: unknown, changes: Partial<ServiceState> = {}): Promise<void> {
    if (error instanceof Problem && error.code === 'engine_unavailable') throw error;
    if (!(error instanceof Problem)) log.error({ err: error }, 'service could not be started');
    const problem =
      error instanceof Problem
        ? error
        : new Problem('internal', 'The service could not be started for a reason on our side.');
    memory.settledFor = own.now().restart;
    release();
    await own.report('failed', { ...changes, error: problem.toBody(), place: null });
  }

  async function awaitReady(container: ContainerState): Promise<void> {
    const place = containers.placeOf(container);
    const signal = alarm.nextRing();
    ends.watch(container.id);
    const outcome = await untilServiceReady(place.address, request, {
      // Its time is not begun again by what interrupts the wait, but by its adoption.
      since: Math.max(Date.parse(container.startedAt ?? '') || 0, keptSince),
      signal,
    });
    if (outcome === undefined) return;
    if (outcome !== 'ready') {
      const lastWords = await containers.lastWords(container.id);
      await containers.stop(container.id);
      return giveUp(
        new Problem(
          'service_not_ready',
          `It was not ready within ${request.health.timeoutMs} ms: ${outcome.failed}. Does it listen on all addresses, at this port?${lastWords}`,
        ),
      );
    }
    memory.ready = true;
    const readyAt = new Date().toISOString();
    // Its first idle clock begins when it can be used.
    await store.touch(id);
    await own.report('ready', { error: null, place, readyAt });
    log.info('service is ready');
  }

  async function handleEnd(container: ContainerState): Promise<void> {
    const { exitCode } = container;
    const failure = await containers.notExecuted(container);
    // It never ran.
    if (failure !== undefined) return giveUp(failure, { startedAt: null });
    if (!memory.engineWasAway)
      await containers.watchEngine(
        endsForGood(request.restart, exitCode) ? engineStaysFinallyMs : engineStaysMs,
      );
    const withEngine = memory.engineWasAway;
    const end = withEngine ? { withEngine } : { withEngine, exitCode, ranMs: ranMs(container) };
    const { next, endsInARow } = afterEnd(request.restart, memory.endsInARow, end);
    memory = { ...memory, engineWasAway: false, endsInARow, ready: false };
    const lastWords = await containers.lastWords(container.id);
    const error = endProblem(container, request, { withEngine, next, lastWords });
    if (!next.again) {
      release();
      memory.settledFor = own.now().restart;
      await own.want('stopped', Number.MAX_SAFE_INTEGER);
      return own.report(error === null ? 'stopped' : 'failed', { exitCode, error, place: null });
    }
    memory.nextStartAt = Date.now() + next.waitMs;
    await own.report(next.looping ? 'crash_looping' : 'starting', {
      exitCode,
      error,
      place: null,
      restarts: own.state().restarts + 1,
    });
  }

  async function reportDown(): Promise<void> {
    const status = downStatus(own.now());
    if (status !== undefined) await own.report(status, { place: null, error: null }, own.now().wanted);
  }

  async function putDown(container: ContainerState | null): Promise<number> {
    const { wanted, restart } = own.now();
    memory.ready = false;
    memory.startedFor = restart;
    if (container?.running === true) {
      const read = () => store.read(id);
      const stop = { container: container.id, wanted, workerId, containers, alarm, read, reportDown };
      if ((await stopContainer(stop)) === 'changed') return 1;
    }
    release();
    await reportDown();
    return lookMs;
  }

  async function remove(): Promise<void> {
    // First its address is withdrawn: what is sent to an address whose network is gone leaves the machine.
    await own.report(own.now().status, { place: null });
    await containers.remove(own.now());
    release();
    await own.report('removed', { place: null });
    await own.gone();
  }

  /** What filled the disk goes, and does not come back unasked. Answers whether a fresh start was asked for meanwhile. */
  async function discard(problem: Problem): Promise<boolean> {
    await containers.discard(id);
    disk.leave();
    memory.ready = false;
    if (isFresh(memory, own.now())) return true;
    log.warn('service was over its disk limit');
    await giveUp(problem);
    return false;
  }

  /** What is done for a service that is wanted to run. Answers when to look again. */
  async function run(action: RunAction, container: ContainerState | null): Promise<number> {
    const record = own.now();
    if (isFresh(memory, record)) memory = forgetEnds(memory, record, container?.running === true);
    if (container?.running === true) {
      memory.engineWasAway = false;
      disk.watch(container);
      ends.watch(container.id);
      if (action === 'watch-idle') return Math.min(lookMs, await watchIdle(own, request, store));
      if (!(await reserve())) return lookMs;
      await awaitReady(container);
      return 1;
    }
    disk.leave();
    if (action === 'handle-end' && container !== null) await handleEnd(container);
    // Not earlier: an end whose handling failed is handled again.
    memory.handledEnd = endOf(container);
    if (action === 'start') {
      if (!(await reserve())) return lookMs;
      await start(container);
    }
    if (action === 'give-up') await giveUp(containerLost());
    return restMs(memory, own.now(), Date.now());
  }

  /** One look, and what follows from it. Answers when to look again; `undefined`: it is over. */
  async function turn(): Promise<number | undefined> {
    const record = await own.look();
    let container: ContainerState | null | undefined;
    for (;;) {
      const problem = disk.over();
      const overDisk = problem !== undefined;
      const look = { record, workerId, policy: request.restart, overDisk, container, now: Date.now() };
      const action = decide(memory, look);
      switch (action) {
        case 'fence':
          throw new Lost();
        case 'remove':
          await remove();
          return undefined;
        case 'discard':
          if (problem !== undefined && !(await discard(problem))) return lookMs;
          break;
        case 'inspect':
          container = await containers.inspect(id);
          break;
        case 'bounce':
          if (container) await containers.stop(container.id);
          memory.bouncedFor = own.now().bounce;
          container = await containers.inspect(id);
          break;
        case 'stop':
        case 'rest-down':
          return putDown(container ?? null);
        default:
          return run(action, container ?? null);
      }
    }
  }

  async function loop(): Promise<void> {
    while (!leaving) {
      try {
        const wait = await turn();
        if (wait === undefined) return;
        await alarm.rest(wait);
      } catch (error) {
        if (error instanceof Lost) {
          log.warn('the service is another worker’s, or gone: what is left of it here is removed');
          await containers.remove(own.now()).catch(() => {});
          return;
        }
        if (error instanceof Problem && error.code === 'engine_unavailable') memory.engineWasAway = true;
        log.warn({ reason: (error as Error).message }, 'service waits');
        await alarm.rest(lookMs);
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
    wake: alarm.ring,
    /** Leaves it as it is, running: the next worker adopts it. */
    async leave(): Promise<void> {
      leaving = true;
      alarm.ring();
      await done;
    },
  };
}

const containerLost = () =>
  new Problem('container_lost', 'The container was removed by somebody else, and `restart` is "never".');
