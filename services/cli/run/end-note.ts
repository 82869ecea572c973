import type { ExitEvent } from '../../../shared/contracts/events.ts';

/** One line for an end that the program's own output does not explain. */
export function endNote(end: ExitEvent): string | undefined {
  switch (end.status) {
    case 'timed_out':
      return 'The run took longer than its time limit and was stopped; --timeout and --cpu-time set it.';
    case 'out_of_memory':
      return 'The run needed more memory than its limit and was killed; --memory sets it.';
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
