import type { PullEvent, PullLayer } from '../../../shared/contracts/events.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { familiarName } from '../../../shared/images.ts';
import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { firstStepOf } from '../../../shared/run-plan.ts';
import type { TerminalStatus } from '../../../shared/run-states.ts';
import { isStoreError } from '../../../shared/store-errors.ts';
import {
  emptyState,
  newStep,
  type RunHead,
  type RunKind,
  type RunOutline,
  type RunState,
} from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { DiskWatch } from '../disk/watch.ts';
import type { ImageInfo } from '../engine/images.ts';
import { imageOf } from '../images/image-of.ts';
import type { ImageProvider } from '../images/image-provider.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';
import type { Opened, Sandboxes, WarmOpened } from '../sandbox/sandboxes.ts';
import type { CollectArtifacts } from './artifacts.ts';
import type { AttachInput } from './attach-input.ts';
import { limitProblem } from './limit-problem.ts';
import { createOutputSink } from './output-sink.ts';
import { type Plan, planRun } from './plan.ts';
import { OutOfMemory, runSteps, type StepsVerdict, stepSpecOf } from './run-steps.ts';
import { type Stop, Stopped } from './run-stop.ts';

/**
 * The way of one attempt:
 *
 *   image (pulled where it is missing) → sandbox (a warm one, or created and started) → running (compare-and-set) →
 *   files in → steps, output flowing → artifacts out → finished (compare-and-set) → sandbox destroyed
 *
 * The first cause of an end wins. The sandbox is destroyed on every way out.
 */
export type Attempt = {
  holder: Holder;
  head: RunHead;
  request: RunRequest;
  claimedAt: number;
  stop: Stop;
  /** Called when the first program of the run has been started. */
  programStarted: () => void;
  /** Called when no program of the run runs any more: its CPUs are free, its memory is not yet. */
  programsEnded: () => void;
  /** Called when its end is written, whatever there is left to clear away. */
  written: () => void;
};

export type Execution = {
  runs: RunStore;
  images: ImageProvider;
  sandboxes: Pick<Sandboxes, 'takeWarm' | 'hasWarm' | 'open' | 'learn'>;
  collectArtifacts: CollectArtifacts;
  /** What a run may leave in Redis, however many steps it has. */
  maxOutputBytes: number;
  attachInput: AttachInput;
  disk: Pick<DiskWatch, 'watchSandbox'>;
  log: Log;
};

/** What became of the attempt. `again`: it was lost with its engine or worker, and follows as another. */
export type Outcome = 'finished' | 'lost' | 'again';

/** Pull progress goes to the run's stream at most so often. */
const pullEventMs = 250;
/** Redis refuses writes for a while (it is full, it is loading): output waits, and the program with it. */
const appendAgainMs = 500;

/** A run for which a warm sandbox was taken before its claim, and the state in which it starts. */
export type Foreseen = { opened: WarmOpened; image: ImageInfo; state: RunState };

/**
 * Looks for a warm sandbox for a run that is about to be claimed: then claim and start are one write.
 */
export function foresee(execution: Execution, outline: RunOutline, claimedAt: number): Foreseen | undefined {
  const found = imageAtHand(execution, outline);
  const opened = found && execution.sandboxes.takeWarm(outline.request, found.image, found.familiar);
  if (found === undefined || opened === undefined) return undefined;
  const state = warmState(found, outline.firstStep);
  state.timings.queuedMs = Math.max(0, claimedAt - outline.dueAt);
  state.startedAt = new Date(claimedAt).toISOString();
  return { opened, image: found.image, state };
}

/** The state in which a run like this would start, but for its times; `undefined` where no warm sandbox is ready for it. */
export function foreseeAny(execution: Execution, kind: RunKind): RunState | undefined {
  const found = imageAtHand(execution, kind);
  if (found === undefined || !execution.sandboxes.hasWarm(kind.request, found.image)) return undefined;
  return warmState(found, kind.firstStep);
}

type AtHand = { reference: string; familiar: string; image: ImageInfo };

function imageAtHand({ images }: Execution, { request }: RunKind): AtHand | undefined {
  if (request.pull !== 'missing') return undefined;
  const reference = imageOf(request);
  const familiar = familiarName(reference);
  const image = images.recall(familiar);
  return image && { reference, familiar, image };
}

function warmState({ reference, image }: AtHand, firstStep: string): RunState {
  const state = structuredClone(emptyState);
  state.image = { reference, digest: image.digest };
  state.startedWarm = true;
  state.steps = [newStep(firstStep)];
  return state;
}

function firstState({ dueAt }: Pick<RunHead, 'dueAt'>, claimedAt: number): RunState {
  const state = structuredClone(emptyState);
  state.timings.queuedMs = Math.max(0, claimedAt - dueAt);
  return state;
}

export async function executeRun(
  execution: Execution,
  attempt: Attempt,
  foreseen: Foreseen | undefined,
): Promise<Outcome> {
  const { runs, log } = execution;
  const { holder, head, request, stop } = attempt;
  const state = foreseen?.state ?? firstState(head, attempt.claimedAt);
  let opened: Opened | undefined = foreseen?.opened;
  let sequence = 0;
  /** Why output could not be written, where that is no matter of Redis being away. */
  let fault: unknown;
  const sink = createOutputSink({
    maxBytes: execution.maxOutputBytes,
    append: async (entries) => {
      sequence += 1;
      for (;;) {
        try {
          return await runs.append(holder, `o${sequence}`, entries);
        } catch (error) {
          if (!isStoreError(error)) fault ??= error;
          if (fault !== undefined || stop.cause() === 'lock_lost') return false;
          await new Promise((resolve) => setTimeout(resolve, appendAgainMs));
        }
      }
    },
    onLost: () => stop.stop('lock_lost'),
  });

  const finish = async (verdict: StepsVerdict): Promise<Outcome> => {
    const { keptBytes, rest } = await sink.end();
    const now = Date.now();
    state.exitCode = verdict.exitCode;
    state.signal = verdict.signal;
    state.steps = state.steps.map((step) =>
      step.status === 'running' ? { ...step, status: verdict.status } : step,
    );
    if (verdict.ended !== undefined)
      state.error ??= limitProblem(verdict.ended, attempt, execution.maxOutputBytes).toBody();
    state.usage = usageOf(state);
    state.finishedAt = new Date(now).toISOString();
    state.timings.totalMs = Math.max(0, now - Date.parse(head.createdAt));
    const last = { sequence: `o${sequence + 1}`, entries: rest };
    const done = await runs.finish(holder, verdict.status, state, keptBytes, head.createdAt, last);
    attempt.written();
    return done ? 'finished' : 'lost';
  };
  const ended = (status: TerminalStatus) => finish({ status, exitCode: null, signal: null });

  try {
    let image = foreseen?.image;
    let began = performance.now();
    if (image === undefined || opened === undefined) {
      image = await bringImage(execution, attempt, state);
      began = performance.now();
      opened = await execution.sandboxes.open(attempt, image);
      stop.signal.throwIfAborted();
      state.startedWarm = opened.warm;
      state.startedAt = new Date().toISOString();
      state.steps = [newStep(firstStepOf(request))];
      const moved = await runs.move(holder, 'running', state);
      if (moved !== 'moved') stop.stop(moved === 'lost' ? 'lock_lost' : moved);
    } else await foreseen?.opened.adopt(holder);
    stop.signal.throwIfAborted();
    const { own } = opened;
    const plan = planRun(request, image, own?.folders ?? null, own?.userName);

    const verdict = await carryOut(execution, attempt, opened, plan, state, sink, began);
    if (fault !== undefined) throw fault;
    if (stop.cause() === 'lock_lost') return 'lost';
    const outcome = await finish(verdict);
    const [first] = plan.steps;
    if (first !== undefined && own !== null)
      execution.sandboxes.learn(request, image, own.userName, stepSpecOf(first));
    return outcome;
  } catch (error) {
    const reason = stop.cause();
    if (reason === 'lock_lost' && fault === undefined) return 'lost';
    if (reason === 'cancelled') return await ended('cancelled');
    if (error instanceof OutOfMemory) return await finish(error.verdict);
    const problem = asProblem(fault ?? error, log, holder.runId);
    if (problem.code === 'engine_unavailable' || problem.code === 'worker_lost') {
      const requeued = await runs.requeue(holder);
      if (requeued !== 'refused') return requeued === 'requeued' ? 'again' : 'lost';
    }
    state.error = problem.toBody();
    return await ended('errored');
  } finally {
    attempt.programsEnded();
    await opened?.release().catch((error: Error) => {
      // The reaper tries again until it is gone.
      log.warn({ run: holder.runId, reason: error.message }, 'sandbox was not removed');
    });
  }
}

/** Files in, steps, artifacts out. */
async function carryOut(
  execution: Execution,
  attempt: Attempt,
  opened: Opened,
  plan: Plan,
  state: RunState,
  sink: ReturnType<typeof createOutputSink>,
  began: number,
): Promise<StepsVerdict> {
  const { request, stop, holder } = attempt;
  const { sandbox } = opened;
  let startedAt: number | undefined;
  const leaveDisk =
    request.writable && opened.own !== null
      ? execution.disk.watchSandbox(opened.own.disk, request.limits.diskBytes, () => stop.stop('disk_limit'))
      : undefined;
  try {
    await sandbox.session.prepare(plan.workdir, plan.files);
    for (const step of plan.steps)
      if (step.tty !== undefined)
        step.tty = (await execution.attachInput.size(holder.runId).catch(() => undefined)) ?? step.tty;
    const verdict = await runSteps({
      sandbox,
      steps: plan.steps,
      state,
      sink,
      stop,
      onStarted: (step, running) => {
        if (startedAt === undefined) {
          startedAt = performance.now();
          attempt.programStarted();
          state.timings.startMs = round(startedAt - began);
          state.startedAt = new Date().toISOString();
        }
        return step.stdinOpen ? execution.attachInput.carry(holder.runId, running) : undefined;
      },
      log: execution.log,
    });
    if (startedAt !== undefined) {
      // STARTED is heard of late, for a short program together with its end: the init's clock knows better.
      const runMs = performance.now() - startedAt;
      const wallMs = state.steps.reduce((sum, step) => sum + (step.wallMs ?? 0), 0);
      const late = Math.min(Math.max(0, wallMs - runMs), startedAt - began);
      state.timings.startMs = round(startedAt - late - began);
      state.timings.runMs = round(runMs + late);
    }
    attempt.programsEnded();
    if (stop.cause() === undefined && request.artifacts.length > 0)
      await execution.collectArtifacts(holder, sandbox.session, request.artifacts, state, stop);
    return verdict;
  } catch (error) {
    throw startFailure(error) ?? error;
  } finally {
    leaveDisk?.();
  }
}

/** CPU time of all steps; the largest of their peaks. `null` where no step was measured. */
function usageOf(state: RunState): RunState['usage'] {
  const measured = state.steps.filter((step) => step.cpuMs !== null);
  if (measured.length === 0) return { cpuMs: null, maxMemoryBytes: null };
  return {
    cpuMs: round(measured.reduce((sum, step) => sum + (step.cpuMs ?? 0), 0)),
    maxMemoryBytes: Math.max(...measured.map((step) => step.maxMemoryBytes ?? 0)),
  };
}

async function bringImage(execution: Execution, attempt: Attempt, state: RunState): Promise<ImageInfo> {
  const { holder, request, stop } = attempt;
  const reference = imageOf(request);
  const familiar = familiarName(reference);
  state.image = { reference, digest: null };
  const progress = pullReporter(execution.runs, holder, familiar);
  const { image, pullMs } = await execution.images.provide(familiar, request.pull, holder.tenant, {
    beforePull: async () => {
      const moved = await execution.runs.move(holder, 'pulling', state);
      if (moved !== 'moved') stop.stop(moved === 'lost' ? 'lock_lost' : moved);
      stop.signal.throwIfAborted();
    },
    onProgress: progress.report,
    signal: stop.signal,
  });
  await progress.end(pullMs !== null);
  state.image.digest = image.digest;
  state.timings.pullMs = pullMs === null ? null : round(pullMs);
  return image;
}

/** Sends the pull's picture to the run's stream, at most every so often, and the last one always. */
function pullReporter(runs: RunStore, holder: Holder, reference: string) {
  let latest: PullLayer[] = [];
  let sentAt = 0;
  let sequence = 0;
  let sending: Promise<unknown> = Promise.resolve();
  const send = (status: PullEvent['status']) => {
    sentAt = Date.now();
    sequence += 1;
    const data = JSON.stringify({ reference, status, layers: latest } satisfies PullEvent);
    const number = `p${sequence}`;
    sending = sending.then(() => runs.append(holder, number, [{ type: 'pull', data }])).catch(() => {});
  };
  return {
    report: (layers: PullLayer[]) => {
      latest = layers;
      if (Date.now() - sentAt >= pullEventMs) send('pulling');
    },
    end: async (pulled: boolean) => {
      if (pulled) send('done');
      await sending;
    },
  };
}

/** What the user is told. Anything unforeseen is our fault: it is logged, and said to be ours. */
export function asProblem(error: unknown, log: Log, runId: string): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Stopped)
    return new Problem('worker_lost', 'The worker was shut down while the run was going on: run it again.');
  log.error({ run: runId, err: error }, 'run failed for an unforeseen reason');
  return new Problem(
    'internal',
    'The run failed for a reason on our side: run it again, and tell the operator.',
  );
}

const round = (ms: number) => Math.round(ms * 10) / 10;
