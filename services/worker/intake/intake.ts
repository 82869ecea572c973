import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../../shared/log.ts';
import { isStoreError } from '../../../shared/store-errors.ts';
import { emptyState, type RunOutline } from '../../../shared/stores/run-record.ts';
import type { RunStore } from '../../../shared/stores/runs.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import { within } from '../../../shared/within.ts';
import type { Ledger, Need, Reservation } from '../node/ledger.ts';
import type { ActiveRuns } from '../run/active-runs.ts';
import { asProblem } from '../run/as-problem.ts';
import type { Execution } from '../run/attempt.ts';
import { createUnstartedEnds, holderOf } from '../run/claimed.ts';
import { executeRun } from '../run/execute-run.ts';
import { foresee } from '../run/foresee.ts';
import { createStop } from '../run/run-stop.ts';
import { createOtherWorkers } from './other-workers.ts';
import { createPlacement, waitHereMs } from './place.ts';
import { createRunFetcher } from './run-fetcher.ts';
import type { Fetched, HeldJob, RunQueue } from './run-queue.ts';

/** The smallest run that limits allow (contracts/limits.ts): with less room than this no run is fetched. */
const smallest: Need = { memoryBytes: 8 * 1024 * 1024, cpus: 0.05 };
/** The engine, or the queue, is away: it is asked again after this. */
const engineAwayMs = 200;
const queueAwayMs = 500;
/** A run whose engine was lost is tried again after this. */
const againAfterMs = 1_000;

/**
 * The next run is fetched only when this one has started, if it has a warm sandbox: a fetch costs two round trips to Redis, which on two
 * cores would delay the start by as much. A start that takes longer than this is not waited for.
 */
const warmStartMs = 25;

/**
 * Where no run waited before this one, most often none comes right after it: then the next is fetched when this one has ended, or after
 * this time. Fetched earlier, the fetch and its write to Redis's disk would delay the answer to a short program.
 */
const aloneMs = 10;

/** Called on a run's way: it has no warm sandbox to start in; its program has started; its end is written. */
type Signs = { cold: () => void; started: () => void; written: () => void };

/** How long the runs of a worker that shuts down have to be killed and recorded; what is left then another worker's reaper removes. */
const killGraceMs = 5_000;

/** Takes runs from the queue as long as the node has room for them, and sees each to its end. */
export function createIntake(options: {
  workerId: string;
  queue: RunQueue;
  runs: RunStore;
  workers: WorkerStore;
  ledger: Ledger;
  active: ActiveRuns;
  execution: Execution;
  /** False while the engine is away: then nothing is taken. */
  ready: () => boolean;
  log: Log;
}) {
  const { queue, runs, ledger, active, workerId, log } = options;
  let open = true;
  let hasEnded = false;
  let shuttingDown = false;
  /** Grows with each call that opens or closes it: one that was overtaken changes nothing more. */
  let turn = 0;
  let loop: Promise<void> = Promise.resolve();
  const underWay = new Set<Promise<void>>();
  const unstarted = createUnstartedEnds({ runs, workerId, log });
  const placement = createPlacement({
    runs,
    ledger,
    unstarted,
    others: createOtherWorkers({ workers: options.workers, images: options.execution.images, workerId }),
    isOpen: () => open,
    workerId,
  });

  const fetcher = createRunFetcher({ queue, ledger, execution: options.execution });

  async function take(): Promise<void> {
    if (!options.ready()) return sleep(engineAwayMs);
    if (!ledger.fits(smallest)) return ledger.room(waitHereMs);
    const fetched = await fetcher.next();
    if (fetched === undefined) return;
    await begin(fetched).catch((error) => giveUp(fetched.job, error));
  }

  /** Resolves when the next one may be looked for. */
  async function begin(found: Fetched): Promise<void> {
    const outline = await placement.arrive(found);
    if (outline === undefined) return;
    const need = needOf(outline);
    const free = ledger.take(need);
    if (free !== undefined) return start(found, outline, free);
    await takeBack(found);
    const reservation = await placement.reserve(found.job, need);
    if (reservation !== undefined) await start({ job: found.job }, outline, reservation);
  }

  async function start(fetched: Fetched, outline: RunOutline, reservation: Reservation): Promise<void> {
    const { alone } = fetched.job;
    const { promise: mayLook, resolve: lookOn } = Promise.withResolvers<void>();
    const started = () => {
      if (!alone) lookOn();
    };
    const done = carry(fetched, outline, reservation, { cold: lookOn, started, written: lookOn }).finally(
      () => underWay.delete(done),
    );
    underWay.add(done);
    await within(alone ? aloneMs : warmStartMs, Promise.race([mayLook, done]));
  }

  /** The warm sandbox for which a run was claimed as running is gone or must wait: the run is queued again, and still this worker's. */
  async function takeBack({ claim, running }: Fetched): Promise<void> {
    if (claim?.verdict !== 'claimed' || running !== true) return;
    await runs.move(holderOf(claim, workerId), 'queued', emptyState);
  }

  /**
   * A run that cannot be taken through a fault of ours ends, whatever is broken of it. Where only Redis was away, the run is as it was,
   * and comes again.
   */
  async function giveUp(job: HeldJob, error: unknown): Promise<void> {
    try {
      if (isStoreError(error)) throw error;
      await runs.endBroken(job.runId, asProblem(error, log, job.runId).toBody());
      await job.complete();
    } catch (cause) {
      log.error({ run: job.runId, err: cause }, 'run could not be taken or ended; it comes again');
      await job.delay(againAfterMs);
    }
  }

  async function carry(
    fetched: Fetched,
    outline: RunOutline,
    reservation: Reservation,
    signs: Signs,
  ): Promise<void> {
    const { job } = fetched;
    try {
      const outcome = await attempt(fetched, outline, reservation, signs);
      if (outcome === 'again') await job.delay(againAfterMs);
      else await job.complete();
    } catch (error) {
      await giveUp(job, error);
    } finally {
      reservation.release();
    }
  }

  async function attempt(fetched: Fetched, outline: RunOutline, reservation: Reservation, signs: Signs) {
    const { job } = fetched;
    const runId = outline.id;
    const claimedAt = Date.now();
    const foreseen = foresee(options.execution, outline, claimedAt);
    if (foreseen === undefined) signs.cold();
    fetcher.note(outline);
    const claim =
      fetched.claim ??
      (await runs.claim(runId, workerId, foreseen?.state, fetched.claimedAt).catch(async (error) => {
        await foreseen?.opened.release();
        throw error;
      }));
    if (claim.verdict !== 'claimed') {
      void foreseen?.opened.release().catch(() => {});
      return unstarted.asClaimed(claim, 'claimed');
    }
    const holder = holderOf(claim, workerId);
    if (foreseen === undefined) await takeBack(fetched);
    const stop = createStop();
    active.add(holder, stop);
    try {
      const programsEnded = () => reservation.releaseCpus();
      const { head, request } = claim;
      const attempt = {
        holder,
        head,
        request,
        claimedAt,
        stop,
        job,
        running: fetched.claim === undefined ? foreseen !== undefined : fetched.running === true,
        programStarted: signs.started,
        programsEnded,
        written: signs.written,
      };
      return await executeRun(options.execution, attempt, foreseen);
    } catch (error) {
      if (isStoreError(error)) throw error;
      // Its end could not be written as it was.
      await runs.endBroken(runId, asProblem(error, log, runId).toBody(), holder);
      return 'finished';
    } finally {
      active.remove(runId);
    }
  }

  async function takeWhileOpen(): Promise<void> {
    // What has come with others is this worker's, also when it takes no more.
    while (open || fetcher.holdsSome()) {
      await take().catch(async (error: Error) => {
        if (!open) return;
        log.warn({ reason: error.message }, 'queue could not be read');
        await sleep(queueAwayMs);
      });
    }
  }

  return {
    start(): void {
      loop = takeWhileOpen();
    },

    /** Takes nothing more; resolves when what is under way has ended. */
    async drain(): Promise<void> {
      open = false;
      turn += 1;
      const mine = turn;
      // The loop waits for the queue, which answers within a second unless Redis is away.
      await within(2_000, loop);
      if (mine === turn) hasEnded = true;
      await Promise.all(underWay);
    },

    /** Takes runs again, after it was drained. Not while it shuts down. */
    resume(): void {
      if (open || shuttingDown) return;
      open = true;
      turn += 1;
      hasEnded = false;
      // A loop that has not seen that it was to end goes on, and this one waits for it.
      loop = loop.then(takeWhileOpen);
    },

    /** As drain. A run that has not ended after `ms` is ended, and runs on another worker if its `retries` allow. */
    async shutDown(ms: number): Promise<void> {
      shuttingDown = true;
      const drained = this.drain();
      await within(ms, drained);
      active.stopAll('shutdown');
      await within(killGraceMs, drained);
    },

    /** From now on no run comes here. (The fetch that was under way when it was asked to drain may still have brought one.) */
    takesNoMore: () => hasEnded,
  };
}

/** A reservation of NaN would make the ledger's sums NaN for ever. */
function needOf({ request }: RunOutline): Need {
  const { memoryBytes, cpus } = request.limits;
  if (!Number.isFinite(memoryBytes) || !Number.isFinite(cpus))
    throw new Error('what the run needs is no number');
  return { memoryBytes, cpus };
}
