import { constants } from 'node:os';
import type { RunStatus } from '../../../shared/run-states.ts';

export type RunEnd = {
  status: RunStatus;
  exitCode: number | null;
  signal: string | null;
  /** Why the system could not run it. */
  error?: { code: string } | null;
};

/** The run could not be executed. `docker run` uses the same code for its own failures. */
export const exitOwnFailure = 125;

/** As the shell and `docker run` have it: 127 if there is no such command, 126 if it is none that can be executed. */
const exitNotStarted: Record<string, number> = { command_not_found: 127, command_not_executable: 126 };

/** The exit code for the shell: the program's own, or one that says how it was ended (as coreutils' timeout does). */
export function exitCodeOf({ status, exitCode, signal, error }: RunEnd): number {
  switch (status) {
    case 'succeeded':
      return exitCode ?? 0;
    case 'failed':
      return signal === null ? (exitCode ?? 1) : 128 + signalNumber(signal);
    case 'timed_out':
      return 124;
    case 'cancelled':
      return 128 + constants.signals.SIGINT;
    case 'out_of_memory':
      return 128 + constants.signals.SIGKILL;
    case 'output_limit':
      return 1;
    case 'errored':
    case 'expired':
      return exitNotStarted[error?.code ?? ''] ?? exitOwnFailure;
    case 'queued':
    case 'pulling':
    case 'running':
      throw new Error(`The server ended the stream of a run that is ${status}: see \`runlet show\`.`);
    default:
      return unknownStatus(status);
  }
}

/** A newer server may have more statuses than this CLI knows. */
function unknownStatus(status: never): number {
  throw new Error(`The run ended as "${status}", which this version of the CLI does not know: update it.`);
}

function signalNumber(name: string): number {
  return constants.signals[name as NodeJS.Signals] ?? 0;
}
