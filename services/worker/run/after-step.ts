import { Problem } from '../../../shared/problems.ts';
import type { TerminalStatus } from '../../../shared/run-states.ts';
import { compileStep } from '../../../shared/stores/run-record.ts';
import type { StepEnd } from '../sandbox/init/session.ts';
import { type ExitVerdict, judgeExit } from '../sandbox/program/exit.ts';
import type { LimitedStep } from './limit-problem.ts';
import type { StopCause } from './run-stop.ts';

/** How a run ended, as one of its steps decided. */
export type StepsVerdict = {
  status: TerminalStatus;
  exitCode: number | null;
  signal: string | null;
  limited?: LimitedStep;
};

/** What is known of a step that has ended. */
export type StepFacts = {
  step: { name: string; wallMs: number };
  /** As the init said it; `undefined`: it said nothing. */
  end: Pick<StepEnd, 'cause' | 'exitCode' | 'signal'> | undefined;
  /** Why the worker ended the run, if it did. */
  stopped: StopCause | undefined;
  /** Which limit its output went over: its own, or that of all the run's steps together. */
  outputOver: 'step' | 'run' | undefined;
  oomKilled: boolean;
};

export type AfterStep =
  /** The worker shuts down: nothing is said of the step, and another attempt may follow. */
  | { follows: 'give_up' }
  | {
      /** `next`: the next step, if there is one. `end`: this step decides how the run ended. */
      follows: 'next' | 'end';
      exit: ExitVerdict;
      verdict: StepsVerdict;
      /** It did not end by itself, so its output may break off within a character. */
      interrupted: boolean;
    };

/**
 * What follows when a step has ended. Pure.
 *
 *   the worker shuts down                   give up
 *   stopped for another reason              end
 *   a compiler that did not succeed         end
 *   anything else, however it ended         next
 */
export function afterStep({ step, end, stopped, outputOver, oomKilled }: StepFacts): AfterStep {
  if (stopped === 'shutdown') return { follows: 'give_up' };
  const exit = judgeExit({
    cause: outputOver !== undefined ? 'output' : (end?.cause ?? 'killed'),
    exitCode: end?.exitCode ?? null,
    signal: end?.signal ?? null,
    oomKilled,
    killCause: stopped ?? null,
  });
  const { status, exitCode, signal, limit } = exit;
  const verdict: StepsVerdict = { status, exitCode, signal };
  if (limit !== null)
    verdict.limited = {
      ...step,
      limit,
      byRun: limit === 'output' && outputOver === 'run',
      uncounted: end?.cause === 'uncounted',
    };
  const isOver = stopped !== undefined || (step.name === compileStep && status !== 'succeeded');
  return {
    follows: isOver ? 'end' : 'next',
    exit,
    verdict,
    interrupted: stopped !== undefined || !(status === 'succeeded' || status === 'failed'),
  };
}

/** What follows when the whole sandbox was lost while a step ran: a verdict for want of memory, else a problem. Pure. */
export function afterLoss(
  { name, wallMs }: StepFacts['step'],
  lostBy: 'memory' | 'unknown',
): { exit: ExitVerdict; verdict: StepsVerdict } | Problem {
  if (lostBy === 'unknown')
    return new Problem('container_lost', 'The sandbox ended while the program ran: run it again.');
  const killed = { status: 'out_of_memory', exitCode: 137, signal: 'SIGKILL' } as const;
  return {
    exit: { ...killed, limit: 'memory' },
    verdict: { ...killed, limited: { name, limit: 'memory', wallMs, byRun: false, uncounted: false } },
  };
}
