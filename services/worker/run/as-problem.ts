import type { Log } from '../../../shared/log.ts';
import { Problem } from '../../../shared/problems.ts';
import { workerLost } from '../../../shared/run-losses.ts';
import { Stopped } from './run-stop.ts';

/** What the user is told. An error that nobody foresaw is our fault: it is logged, and the user is told that it is ours. */
export function asProblem(error: unknown, log: Log, runId: string): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Stopped) return workerLost('shut_down');
  log.error({ run: runId, err: error }, 'run failed for an unforeseen reason');
  return new Problem(
    'internal',
    'The run failed for a reason on our side: run it again, and tell the operator.',
  );
}
