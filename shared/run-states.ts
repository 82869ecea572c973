/**
 * The states of a run, and the only moves between them.
 *
 *   from      to
 *   queued    queued (claimed, not started) · pulling · running · any terminal state
 *   pulling   running · queued (its worker was lost before the start) · any terminal state
 *   running   queued (its worker or engine was lost and `retries` allows) · any terminal state
 *   terminal  nothing, ever
 *
 * Every move is a compare-and-set on (status, attempt) in Redis: see shared/stores/lua/.
 */
export const activeStatuses = ['queued', 'pulling', 'running'] as const;

export const terminalStatuses = [
  'succeeded',
  'failed',
  'timed_out',
  'out_of_memory',
  'output_limit',
  'cancelled',
  'errored',
  'expired',
] as const;

export const runStatuses = [...activeStatuses, ...terminalStatuses] as const;

export type ActiveStatus = (typeof activeStatuses)[number];
export type TerminalStatus = (typeof terminalStatuses)[number];
export type RunStatus = (typeof runStatuses)[number];

/** The limits that can end a step. In each case the end was not the program's own choice. */
export const stepLimits = ['wall', 'cpu', 'output', 'memory', 'disk'] as const;
export type StepLimit = (typeof stepLimits)[number];

const terminal: ReadonlySet<string> = new Set(terminalStatuses);

export function isTerminal(status: string): status is TerminalStatus {
  return terminal.has(status);
}
