import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { RunningStep, StepEnd, StepSpec } from '../sandbox/init/session.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { type AfterStep, afterLoss, afterStep, type StepFacts, type StepsVerdict } from './after-step.ts';
import { compareOutput } from './compare-output.ts';
import { type Judgement, type Judging, judgeStep } from './judge-step.ts';
import type { OutputSink } from './output-sink.ts';
import type { RunProgress } from './run-progress.ts';
import { type Stop, Stopped } from './run-stop.ts';

/** One program to run in a sandbox. */
export type ProgramStep = {
  name: string;
  argv: string[];
  env: Record<string, string>;
  ownEnvironment: boolean;
  stdin: Buffer | undefined;
  /** stdin stays open after that. */
  stdinOpen: boolean;
  tty: { cols: number; rows: number } | undefined;
  /** One pipe for stdout and stderr. */
  mergeStderr: boolean;
  stackBytes: number | undefined;
  /** The sandbox's limit while it runs. */
  memoryBytes: number;
  wallMs: number;
  cpuMs: number | null;
  outputBytes: number;
  /** For the judge alone: `stepSpecOf` leaves it out. */
  expectedStdout: Buffer | undefined;
};

/** The same as the init takes it. */
export const stepSpecOf = (step: ProgramStep): StepSpec => ({
  argv: step.argv,
  env: step.env,
  ownEnvironment: step.ownEnvironment,
  stdin: step.stdin !== undefined || step.stdinOpen,
  mergeStderr: step.mergeStderr,
  stackBytes: step.stackBytes,
  wallMs: step.wallMs,
  cpuMs: step.cpuMs,
  outputBytes: step.outputBytes,
  ...(step.tty && { tty: step.tty }),
});

/** The init ends a step at its limit. If it does not say so within this time, the container is killed. */
const initGraceMs = 1_000;

/**
 * Runs the steps one after another and notes each in the run's progress. The verdict is that of the first step that did not succeed;
 * what follows a step is decided in after-step.ts. Rejects with a Problem when a step could not be started, or with the stop's reason.
 */
export async function runSteps(options: {
  sandbox: Sandbox;
  steps: ProgramStep[];
  /** `undefined`: they are not judged. */
  judging: Judging | undefined;
  progress: RunProgress;
  sink: OutputSink;
  stop: Stop;
  /** Gives the sandbox this step's memory limit. Rejects with a Problem `memory_limit` where its files alone take more. */
  limitMemory?: (memoryBytes: number) => Promise<void>;
  /** Called when a step's program has been started. What it answers is called at the step's end. */
  onStarted?: (step: ProgramStep, running: RunningStep) => (() => void) | undefined;
  log: Log;
}): Promise<StepsVerdict> {
  try {
    return await runEach(options);
  } finally {
    if (options.judging !== undefined) options.progress.leftSkipped(options.steps.map(({ name }) => name));
  }
}

async function runEach(options: Parameters<typeof runSteps>[0]): Promise<StepsVerdict> {
  let decisive: StepsVerdict | undefined;
  for (const step of options.steps) {
    options.stop.signal.throwIfAborted();
    options.progress.stepBegan(step.name);
    await options.limitMemory?.(step.memoryBytes).catch((error) => {
      throw filesTooLarge(error, step, options.progress);
    });
    const { follows, verdict, judgement } = await runStep(step, options);
    // It may have been stopped since then.
    if (follows === 'end' || options.stop.cause() !== undefined) return verdict;
    if (verdict.status !== 'succeeded') decisive ??= verdict;
    const failed = judgement !== undefined && ![null, 'accepted'].includes(judgement.verdict);
    if (failed && options.judging?.stopOnFailure) break;
  }
  return decisive ?? { status: 'succeeded', exitCode: 0, signal: null };
}

async function runStep(
  step: ProgramStep,
  { sandbox, judging, progress, sink, stop, onStarted, log }: Parameters<typeof runSteps>[0],
): Promise<Exclude<AfterStep, { follows: 'give_up' }> & { judgement: Judgement | undefined }> {
  let outputOver: StepFacts['outputOver'];
  let writtenBytes = 0;
  const comparison = step.expectedStdout && compareOutput(step.expectedStdout);
  const running = sandbox.session.exec(stepSpecOf(step), (chunk) => {
    writtenBytes += chunk.data.length;
    if (chunk.stream === 'stdout') comparison?.accept(chunk.data);
    return sink.accept(chunk);
  });
  sink.begin(step.name, step.outputBytes, () => {
    outputOver = writtenBytes <= step.outputBytes ? 'run' : 'step';
    running.kill();
  });
  if (step.stdin !== undefined)
    void running.stdin.write(step.stdin).then(() => {
      if (!step.stdinOpen) running.stdin.end();
    });
  const endStep = (interrupted: boolean) => {
    if (sink.endStep({ stopped: interrupted }).truncated) progress.outputCut();
  };

  const leaveStop = killOnStop(running, sandbox, stop, log);
  const leaveClock = stopWhenLate(step.wallMs, sink, stop);
  let undo: (() => void) | undefined;
  let end: StepEnd | undefined;
  try {
    await running.started;
    undo = onStarted?.(step, running);
    end = await running.ended;
  } catch (error) {
    if (stop.cause() === undefined) {
      endStep(true);
      throw await whyLost(error, sandbox, step, progress, judging);
    }
  } finally {
    leaveClock();
    leaveStop();
    undo?.();
  }
  const stopped = stop.cause();
  const oomKilled = stopped === undefined && end?.exitCode !== 0 && (await wasOomKilled(end, sandbox));
  const after = afterStep({
    step: { name: step.name, wallMs: step.wallMs },
    end,
    stopped,
    outputOver,
    oomKilled,
  });
  if (after.follows === 'give_up') throw new Stopped('shutdown');
  endStep(after.interrupted);
  const judgement = judging && judgeStep(step.name, after.exit, comparison?.end());
  progress.stepEnded(after.exit, end, judgement);
  return { ...after, judgement };
}

/** Kills the program when the run is stopped; its container too, where the init does not say in time that the program has ended. */
function killOnStop(running: RunningStep, sandbox: Sandbox, { signal }: Stop, log: Log): () => void {
  let hard: NodeJS.Timeout | undefined;
  const killContainer = () => {
    sandbox.kill().catch((error: Error) => log.warn({ reason: error.message }, 'container was not killed'));
  };
  const kill = () => {
    running.kill();
    hard ??= setTimeout(killContainer, initGraceMs);
  };
  if (signal.aborted) kill();
  else signal.addEventListener('abort', kill, { once: true });
  return () => {
    clearTimeout(hard);
    signal.removeEventListener('abort', kill);
  };
}

/** Stops the run where the init has not ended a step that is over its time. */
function stopWhenLate(wallMs: number, sink: OutputSink, stop: Stop): () => void {
  const onLate = () => {
    // While the program's output waits for Redis, its end cannot be heard of.
    if (sink.stalled()) timer = setTimeout(onLate, initGraceMs);
    else stop.stop('timeout');
  };
  let timer = setTimeout(onLate, wallMs + initGraceMs);
  return () => clearTimeout(timer);
}

/** The init says it where it can; the engine is asked where the init cannot see the container's cgroup. */
async function wasOomKilled(end: StepEnd | undefined, sandbox: Sandbox): Promise<boolean> {
  if (end === undefined) return false;
  if (end.oomKills !== null) return end.oomKills > 0;
  return end.signal !== null && (await sandbox.ranOutOfMemory().catch(() => false));
}

/** Why a step ended of which the init said nothing. */
async function whyLost(
  error: unknown,
  sandbox: Sandbox,
  step: ProgramStep,
  progress: RunProgress,
  judging: Judging | undefined,
): Promise<unknown> {
  const refused = startFailure(error);
  if (refused !== undefined) return refused;
  // It throws by itself when the container, or the engine, is gone.
  const after = afterLoss(step, await sandbox.lostBy());
  if (after instanceof Problem) {
    after.cause = error;
    return after;
  }
  progress.stepEnded(after.exit, undefined, judging && judgeStep(step.name, after.exit, undefined));
  return new OutOfMemory(after.verdict);
}

/** Why a step could not be given its memory limit: what the steps before have left in files may be more than that. */
function filesTooLarge(error: unknown, { name, wallMs }: ProgramStep, progress: RunProgress): unknown {
  if (!(error instanceof Problem) || error.code !== 'memory_limit') return error;
  const ended = { status: 'out_of_memory', exitCode: null, signal: null } as const;
  progress.stepEnded({ ...ended, limit: 'memory' }, undefined);
  return new OutOfMemory({
    ...ended,
    limited: { name, limit: 'memory', wallMs, byRun: false, uncounted: false },
  });
}

/** There was no memory for a program, or the whole sandbox was killed for want of it, its init included. */
export class OutOfMemory extends Error {
  readonly verdict: StepsVerdict;
  constructor(verdict: StepsVerdict) {
    super('out of memory');
    this.verdict = verdict;
  }
}
