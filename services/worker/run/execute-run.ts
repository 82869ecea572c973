import { limitsOfSandbox } from '../../../shared/contracts/limits.ts';
import { Problem } from '../../../shared/problems.ts';
import { firstStepOf } from '../../../shared/run-plan.ts';
import type { ImageInfo } from '../engine/images.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';
import type { Opened } from '../sandbox/sandboxes.ts';
import type { StepsVerdict } from './after-step.ts';
import { asProblem } from './as-problem.ts';
import type { Attempt, Execution, Outcome } from './attempt.ts';
import { bringImage } from './bring-image.ts';
import type { Foreseen } from './foresee.ts';
import { judgingOf } from './judge-step.ts';
import { limitProblem } from './limit-problem.ts';
import { memoryLimiter } from './memory-limiter.ts';
import { moveOrStop } from './move-or-stop.ts';
import { type Plan, planRun } from './plan.ts';
import { coldState, type RunProgress, trackProgress } from './run-progress.ts';
import { OutOfMemory, runSteps, stepSpecOf } from './run-steps.ts';
import { type StoredOutput, storeOutput } from './stored-output.ts';

/** What every part of an attempt's way works on. */
type UnderWay = { execution: Execution; attempt: Attempt; progress: RunProgress; output: StoredOutput };

/**
 * The way of one attempt:
 *
 *   image (pulled where it is missing) → sandbox (a warm one, or created and started) → running (compare-and-set) →
 *   files in → steps, output flowing → artifacts out → finished (compare-and-set) → sandbox destroyed
 *
 * The first cause of an end wins. The sandbox is destroyed on every way out.
 */
export async function executeRun(
  execution: Execution,
  attempt: Attempt,
  foreseen: Foreseen | undefined,
): Promise<Outcome> {
  const { runs, sandboxes } = execution;
  const { holder, head, request, stop } = attempt;
  const progress = trackProgress(foreseen?.state ?? coldState(Math.max(0, attempt.claimedAt - head.dueAt)));
  const output = storeOutput(runs, holder, stop, execution.maxOutputBytes);
  const underWay = { execution, attempt, progress, output };
  const asked = { ...attempt, request: { ...request, limits: limitsOfSandbox(request) } };
  let opened: Opened | undefined = foreseen?.opened;
  try {
    let image: ImageInfo;
    let began = performance.now();
    if (foreseen !== undefined) {
      image = foreseen.image;
      opened = foreseen.opened;
      await foreseen.opened.adopt(holder);
      stop.signal.throwIfAborted();
      // There was no warm sandbox yet when it was claimed.
      if (attempt.running !== true) await moveOrStop(runs, holder, 'running', progress.current(), stop);
    } else {
      image = await bringImage(execution, attempt, progress, true);
      began = performance.now();
      opened = await sandboxes.open(asked, image).catch(async (error) => {
        // Somebody removed it since the engine described it.
        if (!(error instanceof Problem) || error.code !== 'image_not_present') throw error;
        image = await bringImage(execution, attempt, progress, false);
        began = performance.now();
        return sandboxes.open(asked, image);
      });
      stop.signal.throwIfAborted();
      progress.sandboxReady(opened.warm, firstStepOf(request));
      await moveOrStop(runs, holder, 'running', progress.current(), stop);
    }
    const { own } = opened;
    const plan = planRun(request, image, own?.folders ?? null, own?.userName);
    const verdict = await carryOut(underWay, opened, plan, began);
    if (output.fault() !== undefined) throw output.fault();
    if (stop.cause() === 'lock_lost') return 'lost';
    const outcome = await finish(underWay, verdict);
    const [first] = plan.steps;
    if (first !== undefined && own !== null) sandboxes.learn(request, image, own.userName, stepSpecOf(first));
    return outcome;
  } catch (error) {
    return await endFailed(underWay, error);
  } finally {
    attempt.programsEnded();
    await opened?.release().catch((error: Error) => {
      // The reaper tries again until it is gone.
      execution.log.warn({ run: holder.runId, reason: error.message }, 'sandbox was not removed');
    });
  }
}

/** Files in, steps, artifacts out. */
async function carryOut(
  { execution, attempt, progress, output }: UnderWay,
  { sandbox, own }: Opened,
  plan: Plan,
  began: number,
): Promise<StepsVerdict> {
  const { request, stop, holder } = attempt;
  let startedAt: number | undefined;
  const leaveDisk =
    request.writable && own !== null
      ? execution.disk.watchSandbox(own.disk, request.limits.diskBytes, () => stop.stop('disk_limit'))
      : undefined;
  try {
    await sandbox.session.prepare(plan.workdir, plan.files);
    for (const step of plan.steps)
      if (step.tty !== undefined)
        step.tty = (await execution.attachInput.size(holder.runId).catch(() => undefined)) ?? step.tty;
    const verdict = await runSteps({
      sandbox,
      steps: plan.steps,
      judging: judgingOf(request),
      progress,
      sink: output.sink,
      stop,
      ...(own !== null && { limitMemory: memoryLimiter(own, limitsOfSandbox(request)) }),
      onStarted: (step, running) => {
        if (startedAt === undefined) {
          startedAt = performance.now();
          attempt.programStarted();
          progress.programStarted(startedAt - began);
        } else if (step.stdinOpen) {
          // It was compiled before: who talks to it may wait for this, as the run's status tells nothing of it.
          output.sink.announce();
        }
        return step.stdinOpen ? execution.attachInput.carry(holder.runId, running) : undefined;
      },
      log: execution.log,
    });
    if (startedAt !== undefined) progress.programsEnded(startedAt - began, performance.now() - startedAt);
    attempt.programsEnded();
    if (stop.cause() === undefined && request.artifacts.length > 0)
      await execution.collectArtifacts(holder, sandbox.session, request.artifacts, progress, stop);
    return verdict;
  } catch (error) {
    throw startFailure(error) ?? error;
  } finally {
    leaveDisk?.();
  }
}

/** Writes the run's end, with the last of its output. */
async function finish(
  { execution, attempt, progress, output }: UnderWay,
  verdict: StepsVerdict,
): Promise<Outcome> {
  const { keptBytes, last } = await output.end();
  const { createdAt } = attempt.head;
  const byLimit = verdict.limited && limitProblem(verdict.limited, attempt, execution.maxOutputBytes);
  progress.ended(verdict, byLimit, createdAt);
  const state = progress.current();
  const { holder, job } = attempt;
  const { status } = verdict;
  const done = await execution.runs.finish(holder, status, state, keptBytes, createdAt, last, job?.token);
  if (done) job?.ended();
  attempt.written();
  return done ? 'finished' : 'lost';
}

/** Ends an attempt whose way broke off: by its stop, by what the user did wrong, or by a fault. */
async function endFailed(underWay: UnderWay, error: unknown): Promise<Outcome> {
  const { execution, attempt, progress, output } = underWay;
  const { holder, stop } = attempt;
  const fault = output.fault();
  const reason = stop.cause();
  const unmeasured = { exitCode: null, signal: null };
  if (reason === 'lock_lost' && fault === undefined) return 'lost';
  if (reason === 'cancelled') return await finish(underWay, { status: 'cancelled', ...unmeasured });
  if (error instanceof OutOfMemory) return await finish(underWay, error.verdict);
  const problem = asProblem(fault ?? error, execution.log, holder.runId);
  if (problem.code === 'engine_unavailable' || problem.code === 'worker_lost') {
    const requeued = await execution.runs.requeue(holder);
    if (requeued !== 'refused') return requeued === 'requeued' ? 'again' : 'lost';
  }
  progress.failed(problem);
  return await finish(underWay, { status: 'errored', ...unmeasured });
}
