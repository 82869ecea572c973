import { familiarName, imageIdIn, mayBeIdOf } from '../../../shared/images.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { outlineOf } from '../../../shared/run-plan.ts';
import { isStoreError } from '../../../shared/store-errors.ts';
import type { HeldClaim, RunClaims } from '../../../shared/stores/run-claims.ts';
import { emptyState, type RunOutline } from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import { within } from '../../../shared/within.ts';
import type { Ledger, Need, Reservation } from '../node/ledger.ts';
import type { ActiveRuns } from '../run/active-runs.ts';
import { asProblem, type Execution, executeRun, foresee } from '../run/execute-run.ts';
import { createStop } from '../run/run-stop.ts';
import { createRunFetcher, type Fetched } from './run-fetcher.ts';
import type { HeldJob, RunQueue } from './run-queue.ts';

/** The smallest run there can be (contracts/limits.ts): with less room than this nothing is fetched. */
const smallest: Need = { memoryBytes: 8 * 1024 * 1024, cpus: 0.05 };
/** A run that does not fit waits here so long before others are looked for that have room. */
const waitHereMs = 250;
/** A run whose image another node has, and no registry, is looked at again after this. */
const elsewhereMs = 100;
/** A round trip of another node, and some. */
const othersTurnMs = 20;
/** A run whose engine was lost is tried again after this. */
const againAfterMs = 1_000;

/**
 * The next run is looked for when a warm one has started, which takes a few ms: looking costs two round trips, and on two
 * cores they would come out of the start. A start that takes longer than this is not waited for.
 */
const warmStartMs = 25;

/**
 * Where nobody waited before this run, there mostly is nobody behind it: the next is looked for when this one has ended, or after
 * this time. Else the look, with its write to Redis's disk, comes in between the end of a short program and the word of it.
 */
const aloneMs = 10;

/** What can be said of a run that was claimed and can be read. */
type Readable = Exclude<HeldClaim, { verdict: 'broken' }>;

/** What `take` wants to hear of a run: it has no warm sandbox to start in; its program has started; its end is written. */
type Signs = { cold: () => void; started: () => void; written: () => void };

/** A run that is shut down has so long to be killed, recorded and removed; then the reaper of the next worker does it. */
const killGraceMs = 5_000;

/** Takes runs from the queue as long as the node has room for them, and sees each to its end. */
export function createIntake(options: {
  workerId: string;
  queue: RunQueue;
  runs: RunStore;
  /** Over the connection on which the queue waits. */
  ahead: RunClaims;
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
  let loop: Promise<void> = Promise.resolve();
  const underWay = new Set<Promise<void>>();
  /** The run that was left to other nodes last. */
  let handedBack: string | undefined;

  const fetcher = createRunFetcher({
    queue,
    claims: options.ahead,
    workerId,
    ledger,
    execution: options.execution,
    log,
  });

  async function take(): Promise<void> {
    if (!options.ready()) return pause(200);
    if (!ledger.fits(smallest)) return ledger.room(waitHereMs);
    const fetched = await fetcher.next();
    if (fetched === undefined) return;
    await begin(fetched).catch((error) => giveUp(fetched.job, error));
  }

  /** Resolves when the next one may be looked for. */
  async function begin(found: Fetched): Promise<void> {
    let fetched = found;
    const { job } = fetched;
    if (!open && fetched.claim === undefined) return job.handBack();
    const outline = job.outline ?? (await outlineOfStored(job.runId));
    if (outline === undefined) return job.complete();
    if (fetched.claim === undefined && (await isElsewhere(outline.request.image))) return leaveToOthers(job);
    const need = needOf(outline);
    let reservation = ledger.take(need);
    if (reservation === undefined) {
      await takeBack(fetched);
      reservation = await reserve(job, need);
      if (reservation === undefined) return;
      fetched = { job };
    }
    const { promise: mayLook, resolve: lookOn } = Promise.withResolvers<void>();
    const started = () => {
      if (!job.alone) lookOn();
    };
    const done = carry(fetched, outline, reservation, { cold: lookOn, started, written: lookOn }).finally(
      () => underWay.delete(done),
    );
    underWay.add(done);
    await within(job.alone ? aloneMs : warmStartMs, Promise.race([mayLook, done]));
  }

  /**
   * A node that waits for work is given it as it is handed back, before this one asks again. Delayed, it would be ours each time: who
   * delays a job knows when it is due. So that comes second, where nobody else has room.
   */
  async function leaveToOthers(job: HeldJob): Promise<void> {
    if (handedBack === job.runId) {
      handedBack = undefined;
      return job.delay(elsewhereMs);
    }
    handedBack = job.runId;
    await job.handBack();
    await pause(othersTurnMs);
  }

  /** An image that is named by its id comes from nowhere: the run is for a node that has it, if there is one. */
  async function isElsewhere(image: string | undefined): Promise<boolean> {
    if (image === undefined || imageIdIn(image) === undefined) return false;
    if (await options.execution.images.has(familiarName(image))) return false;
    const all = await options.workers.listWithImages().catch(() => []);
    return all.some(
      ({ worker, images }) =>
        worker.id !== workerId && worker.status === 'ready' && images.some((one) => mayBeIdOf(image, one)),
    );
  }

  /** What was ready for it when the wait began is not there any more: its program is yet to be started. */
  async function takeBack({ claim }: Fetched): Promise<void> {
    if (claim?.verdict !== 'claimed') return;
    await runs.move(holderOf(claim), 'queued', emptyState);
  }

  /**
   * A run that cannot be taken through a fault of ours ends, whatever is broken of it. What Redis was away for is as it was, and comes
   * again.
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

  /** One that was claimed and cannot be read. */
  async function endBroken(claim: Extract<HeldClaim, { verdict: 'broken' }>): Promise<void> {
    log.error({ run: claim.id, reason: claim.reason }, 'run is broken');
    await runs.endBroken(claim.id, undefined, { attempt: claim.attempt, worker: workerId });
  }

  const holderOf = ({ head, attempt }: Readable): Holder => ({
    runId: head.id,
    tenant: head.tenant,
    attempt,
    worker: workerId,
  });

  async function outlineOfStored(runId: string): Promise<RunOutline | undefined> {
    const head = await runs.head(runId);
    return head && outlineOf(head);
  }

  /** Room for the run; `undefined` when the job went back to the queue. */
  async function reserve(job: HeldJob, need: Need): Promise<Reservation | undefined> {
    if (!ledger.couldFit(need)) {
      await handOver(job, need);
      return undefined;
    }
    let patience = Date.now() + waitHereMs;
    for (;;) {
      const reservation = ledger.take(need);
      if (reservation !== undefined) return reservation;
      if (!open) {
        await job.handBack();
        return undefined;
      }
      await ledger.room(waitHereMs);
      if (Date.now() < patience) continue;
      patience = Date.now() + waitHereMs;
      if (await othersHaveRoom(need)) {
        await job.handBack();
        // The others hear of it while this one is silent.
        await pause(50);
        return undefined;
      }
    }
  }

  async function othersHaveRoom(need: Need): Promise<boolean> {
    const all = await options.workers.list().catch(() => []);
    return all.some(
      ({ id, status, capacity, inUse }) =>
        id !== workerId &&
        status === 'ready' &&
        inUse.memoryBytes + need.memoryBytes <= capacity.memoryBytes &&
        inUse.cpus + need.cpus <= capacity.cpus,
    );
  }

  /** A run that is too large for this node: for another, or for none. */
  async function handOver(job: HeldJob, need: Need): Promise<void> {
    const all = await options.workers.list();
    const larger = all.some(
      ({ id, capacity }) =>
        id !== workerId && need.memoryBytes <= capacity.memoryBytes && need.cpus <= capacity.cpus,
    );
    if (larger) return job.delay(100);
    const claim = await runs.claim(job.runId, workerId);
    if (claim.verdict === 'broken') await endBroken(claim);
    else if (claim.verdict !== 'gone' && claim.verdict !== 'ended') {
      const { memoryBytes, cpus } = ledger.capacity;
      const error = new Problem(
        'insufficient_capacity',
        `The run asks for ${need.memoryBytes} bytes and ${need.cpus} CPUs; the largest worker has ${memoryBytes} and ${cpus}: lower limits.memoryBytes or limits.cpus.`,
      ).toBody();
      const state = { ...emptyState, error, finishedAt: new Date().toISOString() };
      await runs.finish(holderOf(claim), 'errored', state, 0, claim.head.createdAt);
    }
    await job.complete();
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
    const runId = outline.id;
    const claimedAt = Date.now();
    const foreseen = foresee(options.execution, outline, claimedAt);
    if (foreseen === undefined) signs.cold();
    else fetcher.note(outline);
    const claim =
      fetched.claim ??
      (await runs.claim(runId, workerId, foreseen?.state, fetched.claimedAt).catch(async (error) => {
        await foreseen?.opened.release();
        throw error;
      }));
    if (claim.verdict !== 'claimed') void foreseen?.opened.release().catch(() => {});
    if (claim.verdict === 'gone' || claim.verdict === 'ended') return 'lost';
    if (claim.verdict === 'broken') {
      await endBroken(claim);
      return 'finished';
    }
    const { head } = claim;
    const holder = holderOf(claim);
    if (claim.verdict !== 'claimed') {
      const lost = claim.verdict === 'lost';
      const error = lost
        ? new Problem(
            'worker_lost',
            'The worker was lost while the program may have been running: run it again, or set retries.',
          ).toBody()
        : null;
      const state = { ...emptyState, error, finishedAt: new Date().toISOString() };
      await runs.finish(holder, lost ? 'errored' : 'cancelled', state, 0, head.createdAt);
      return 'finished';
    }
    if (foreseen === undefined) await takeBack(fetched);
    const stop = createStop();
    active.add(holder, stop);
    try {
      const programsEnded = () => reservation.releaseCpus();
      const { request } = claim;
      const attempt = {
        holder,
        head,
        request,
        claimedAt,
        stop,
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

  return {
    start(): void {
      loop = (async () => {
        while (open) {
          await take().catch(async (error: Error) => {
            if (!open) return;
            log.warn({ reason: error.message }, 'queue could not be read');
            await pause(500);
          });
        }
      })();
    },

    /** Takes nothing more; resolves when what is under way has ended. */
    async drain(): Promise<void> {
      open = false;
      // It waits for the queue, which answers within a second, unless Redis is away.
      await within(2_000, loop);
      await Promise.all(underWay);
    },

    /** As drain; what has not ended after `ms` is ended, and runs again elsewhere if its `retries` allow. */
    async shutDown(ms: number): Promise<void> {
      const drained = this.drain();
      await within(ms, drained);
      active.stopAll('shutdown');
      await within(killGraceMs, drained);
    },

    isOpen: () => open,
  };
}

/** A reservation that is no number would stay in the ledger's sums for ever. */
function needOf({ request }: RunOutline): Need {
  const { memoryBytes, cpus } = request.limits;
  if (!Number.isFinite(memoryBytes) || !Number.isFinite(cpus))
    throw new Error('what the run needs is no number');
  return { memoryBytes, cpus };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
