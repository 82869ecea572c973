import type { Step } from '../../../shared/contracts/run.ts';
import { formatMs } from '../output/format.ts';

/** One line for what became of a step: `run[2]: failed (exit code 1), 12 ms`. */
export function stepNote({ name, status, exitCode, signal, limit, wallMs }: Step): string {
  // Of two limits on time it was this one; all others are told by the status.
  if (status === 'timed_out' && limit) return `${name}: ${status} (${limit}), ${formatMs(wallMs)}`;
  const how = signal !== null ? ` (${signal})` : status === 'failed' ? ` (exit code ${exitCode})` : '';
  return `${name}: ${status}${how}, ${formatMs(wallMs)}`;
}
