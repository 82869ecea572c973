import type { ExitEvent } from '../../../shared/contracts/events.ts';

/**
 * One line about an end that the program's own output does not explain.
 *
 * @param memorySetBy the option that sets the memory limit
 */
export function endNote(end: ExitEvent, memorySetBy: string): string | undefined {
  switch (end.status) {
    case 'timed_out':
      return timeNote(end.error?.code);
    case 'out_of_memory':
      return memoryNote(end.error?.code, memorySetBy);
    case 'output_limit':
      return 'The run wrote more than its output limit and was stopped; --output-limit sets it.';
    case 'cancelled':
      return 'The run was cancelled.';
    case 'failed':
      return end.signal === null ? undefined : `The program was ended by ${end.signal}.`;
    default:
      return undefined;
  }
}

/** An older server does not say which of the two time limits it was. */
function timeNote(code: string | undefined): string {
  switch (code) {
    case 'wall_limit':
      return 'The run took longer than its time limit and was stopped; --timeout sets it.';
    case 'cpu_limit':
      return 'The run used more CPU time than its limit and was stopped; --cpu-time sets it.';
    default:
      return 'The run took longer than its time limit and was stopped; --timeout and --cpu-time set it.';
  }
}

/** An older server uses one code for both. */
function memoryNote(code: string | undefined, setBy: string): string {
  return code === 'kernel_memory_limit'
    ? 'The run had the kernel hold too much for it, which no option sets, and was stopped; let it read what its sockets get, and close or release connections, locks and terminals.'
    : `The run needed more memory than its limit and was killed; ${setBy} sets it.`;
}

/** Problems that `endNote` already tells in its line. */
const noted = new Set(['wall_limit', 'cpu_limit', 'output_limit', 'memory_limit', 'kernel_memory_limit']);

/** Any other problem that the event reports. */
export const problemOf = ({ error }: ExitEvent) => (error !== null && !noted.has(error.code) ? error : null);
