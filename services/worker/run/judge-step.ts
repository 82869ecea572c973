import type { Difference, Verdict } from '../../../shared/contracts/judging.ts';
import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import { compileStep } from '../../../shared/stores/run-record.ts';
import type { ExitVerdict } from '../sandbox/program/exit.ts';

/** How the steps of a run are judged. */
export type Judging = { stopOnFailure: boolean };

/** What is said of a step. Both are `null` where it is not judged. */
export type Judgement = { verdict: Verdict | null; difference: Difference | null };

/** `undefined`: the run is not judged. */
export function judgingOf({ inputs, stopOnFailure }: RunRequest): Judging | undefined {
  // (The request of an earlier version has no `stopOnFailure`.)
  const isJudged = stopOnFailure === true || inputs.some((input) => input.expectedStdout !== undefined);
  return isJudged ? { stopOnFailure } : undefined;
}

/**
 * The verdict of a step that has ended. Pure.
 *
 * @param difference of its output from what is expected, if there is one
 */
export function judgeStep(
  name: string,
  exit: Pick<ExitVerdict, 'status' | 'limit'>,
  difference: Difference | undefined,
): Judgement {
  const verdict = verdictOf(exit, difference !== undefined);
  if (name !== compileStep)
    return { verdict, difference: verdict === 'wrong_answer' ? (difference ?? null) : null };
  return { verdict: verdict === null || verdict === 'accepted' ? null : 'compile_error', difference: null };
}

function verdictOf(
  { status, limit }: Pick<ExitVerdict, 'status' | 'limit'>,
  differs: boolean,
): Verdict | null {
  switch (status) {
    case 'succeeded':
      return differs ? 'wrong_answer' : 'accepted';
    case 'failed':
      return limit === 'disk' ? 'output_limit' : 'runtime_error';
    case 'timed_out':
      return 'time_limit';
    case 'out_of_memory':
      return 'memory_limit';
    case 'output_limit':
      return 'output_limit';
    // Not the program's doing.
    case 'cancelled':
    case 'errored':
    case 'expired':
      return null;
    default:
      return status satisfies never;
  }
}
