import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import type { StepLimit, TerminalStatus } from '../../../shared/run-states.ts';
import { compileStep, newStep, type RunState, type StepState } from '../../../shared/stores/run-record.ts';
import type { RunningStep, StepEnd, StepSpec } from '../sandbox/init/session.ts';
import { judgeExit } from '../sandbox/program/exit.ts';
import { startFailure } from '../sandbox/program/start-failure.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { OutputSink } from './output-sink.ts';
import { type Stop, Stopped } from './run-stop.ts';

/** One program to run in a sandbox, everything resolved. */
export type ProgramStep = {
  name: string;
  argv: string[];
  env: Record<string, string>;
  ownEnvironment: boolean;
  stdin: Buffer | undefined;
  /** stdin stays open after that. */
  stdinOpen: boolean;
  tty: { cols: number; rows: number } | undefined;
  stackBytes: number | undefined;
  wallMs: number;
  cpuMs: number | null;
  outputBytes: number;
};

/** What the init is told of it. */
export const stepSpecOf = (step: ProgramStep): StepSpec => ({
  argv: step.argv,
  env: step.env,
  ownEnvironment: step.ownEnvironment,
  stdin: step.stdin !== undefined || step.stdinOpen,
  stackBytes: step.stackBytes,
  wallMs: step.wallMs,
  cpuMs: step.cpuMs,
  outputBytes: step.outputBytes,
  ...(step.tty && { tty: step.tty }),
});

/** How a run ended, and which of its steps decided that. */
export type StepsVerdict = {
  status: TerminalStatus;
  exitCode: number | null;
  signal: string | null;
  ended?: LimitedStep;
};

/** A step that one of its limits ended. */
export type LimitedStep = {
  name: string;
  limit: StepLimit;
  wallMs: number;
  /** It was not its own limit but that of all steps together: what the run may leave in the store. */
  byRun: boolean;
  /** It was what the kernel held for it, beside what its memory limit counts. */
  uncounted: boolean;
};

/** The init ends a step at its limit; if it is not heard of so long after, the container is killed. */
const initGraceMs = 1_000;

/**
 * Runs the steps one after another and notes each in the state. The verdict is that of the first step that did not
 * succeed; after a compile that failed, and after a stop, nothing more is run. Rejects with a Problem when a step
 * could not be started, or with the stop's reason.
 */
export async function runSteps(options: {
  sandbox: Sandbox;
  steps: ProgramStep[];
  state: RunState;
  sink: OutputSink;
  stop: Stop;
  /** Called when a step has been executed; answers what undoes it at the step's end. */
  onStarted?: (step: ProgramStep, running: RunningStep) => (() => void) | undefined;
  log: Log;
}): Promise<StepsVerdict> {
  const { state, stop } = options;
  let verdict: StepsVerdict | undefined;
  for (const step of options.steps) {
    stop.signal.throwIfAborted();
    const noted = newStep(step.name);
    // The first is there already: the run was moved to `running` with it.
    if (state.steps.at(-1)?.name === step.name) state.steps.pop();
    state.steps.push(noted);
    const one = await runStep(step, noted, options);
    if (one.status !== 'succeeded') verdict ??= one;
    if (stop.cause() !== undefined) return one;
    if (step.name === compileStep && one.status !== 'succeeded') return one;
  }
  return verdict ?? { status: 'succeeded', exitCode: 0, signal: null };
}

async function runStep(
  step: ProgramStep,
  noted: StepState,
  { sandbox, state, sink, stop, onStarted, log }: Parameters<typeof runSteps>[0],
): Promise<StepsVerdict> {
  let full = false;
  let byRun = false;
  let writtenBytes = 0;
  const running = sandbox.session.exec(stepSpecOf(step), (chunk) => {
    writtenBytes += chunk.data.length;
    return sink.accept(chunk);
  });
  sink.begin(step.name, step.outputBytes, () => {
    full = true;
    byRun = writtenBytes <= step.outputBytes;
    running.kill();
  });
  if (step.stdin !== undefined)
    void running.stdin.write(step.stdin).then(() => {
      if (!step.stdinOpen) running.stdin.end();
    });

  const killContainer = () => {
    sandbox.kill().catch((error: Error) => log.warn({ reason: error.message }, 'container was not killed'));
  };
  let hard: NodeJS.Timeout | undefined;
  const kill = () => {
    running.kill();
    hard ??= setTimeout(killContainer, initGraceMs);
  };
  if (stop.signal.aborted) kill();
  else stop.signal.addEventListener('abort', kill, { once: true });
  const onLate = () => {
    // The end of a program whose output waits for Redis is not heard of yet.
    if (sink.stalled()) late = setTimeout(onLate, initGraceMs);
    else stop.stop('timeout');
  };
  let late = setTimeout(onLate, step.wallMs + initGraceMs);
  let undo: (() => void) | undefined;
  let end: StepEnd | undefined;
  try {
    await running.started;
    undo = onStarted?.(step, running);
    end = await running.ended;
  } catch (error) {
    if (stop.cause() === undefined) {
      if (sink.endStep({ stopped: true }).truncated) state.outputTruncated = true;
      throw await whyLost(error, sandbox, step, noted);
    }
  } finally {
    clearTimeout(late);
    clearTimeout(hard);
    stop.signal.removeEventListener('abort', kill);
    undo?.();
  }
  const cause = stop.cause();
  if (cause === 'shutdown') throw new Stopped('shutdown');
  const exitCode = end?.exitCode ?? null;
  const verdict = judgeExit({
    cause: full ? 'output' : (end?.cause ?? 'killed'),
    exitCode,
    signal: end?.signal ?? null,
    oomKilled: exitCode !== 0 && (await oomKilled(end, sandbox, cause !== undefined)),
    killCause: cause ?? null,
  });
  // Ended by itself, well or not: else it may have been in the midst of a character.
  const stopped = cause !== undefined || !(verdict.status === 'succeeded' || verdict.status === 'failed');
  if (sink.endStep({ stopped }).truncated) state.outputTruncated = true;
  Object.assign(noted, verdict, {
    wallMs: end === undefined ? null : round(end.wallMs),
    cpuMs: end === undefined ? null : round(end.cpuMs),
    maxMemoryBytes: end?.maxMemoryBytes ?? null,
  });
  const { limit, ...ending } = verdict;
  return limit === null
    ? ending
    : {
        ...ending,
        ended: {
          name: step.name,
          limit,
          wallMs: step.wallMs,
          byRun: limit === 'output' && byRun,
          uncounted: end?.cause === 'uncounted',
        },
      };
}

/** The init's own word where it has one; the engine's where the container's cgroup cannot be seen from inside. */
async function oomKilled(end: StepEnd | undefined, sandbox: Sandbox, stopped: boolean): Promise<boolean> {
  if (stopped || end === undefined) return false;
  if (end.oomKills !== null) return end.oomKills > 0;
  return end.signal !== null && (await sandbox.ranOutOfMemory().catch(() => false));
}

/** A step that ended without the init's word. */
async function whyLost(
  error: unknown,
  sandbox: Sandbox,
  { name, wallMs }: ProgramStep,
  noted: StepState,
): Promise<unknown> {
  const refused = startFailure(error);
  if (refused !== undefined) return refused;
  // Throws for itself when the container, or the engine, is gone.
  const by = await sandbox.lostBy();
  if (by === 'memory') {
    const killed = { status: 'out_of_memory', exitCode: 137, signal: 'SIGKILL' } as const;
    Object.assign(noted, killed, { limit: 'memory' });
    return new OutOfMemory({
      ...killed,
      ended: { name, limit: 'memory', wallMs, byRun: false, uncounted: false },
    });
  }
  return new Problem('container_lost', 'The sandbox ended while the program ran: run it again.', {
    cause: error as Error,
  });
}

/** The whole sandbox went for want of memory, its init included. */
export class OutOfMemory extends Error {
  readonly verdict: StepsVerdict;
  constructor(verdict: StepsVerdict) {
    super('out of memory');
    this.verdict = verdict;
  }
}

const round = (ms: number) => Math.round(ms * 10) / 10;
