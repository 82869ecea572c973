import type { Step } from '../../../shared/contracts/run.ts';
import { formatMs } from '../output/format.ts';

/** One line with the result of a step: `run[2]: failed (exit code 1), 12 ms`. */
export function stepNote({ name, status, exitCode, signal, limit, wallMs }: Step): string {
  // There are two time limits, so the line says which one it was. For all other limits the status says it.
  if (status === 'timed_out' && limit) return `${name}: ${status} (${limit}), ${formatMs(wallMs)}`;
  const how = signal !== null ? ` (${signal})` : status === 'failed' ? ` (exit code ${exitCode})` : '';
  return `${name}: ${status}${how}, ${formatMs(wallMs)}`;
}
