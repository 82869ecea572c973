import type { RunStatus } from '../../../shared/run-states.ts';
import { outputCollector } from '../../../shared/stores/run-events.ts';
import { onlyStep, type RunOutput, type RunState } from '../../../shared/stores/run-record.ts';

/** The message of finish.lua to whoever waits for a run. `found`: the whole result, if it is short. */
export type RunEnd = {
  id: string;
  found?: { status: RunStatus; attempt: number; worker: string | null; state: RunState; output: RunOutput };
};

/**
 * Reads what finish.lua published: netstrings without the comma (`length:bytes`, lengths in bytes): the run's id; then, or
 * not, its status, attempt, worker and state, and its output as triples of type, step and data.
 */
export function parseRunEnd(message: Buffer): RunEnd | undefined {
  const [id, status, attempt, worker, state, ...output] = netstrings(message);
  if (id === undefined) return undefined;
  if (state === undefined) return { id: id.toString() };
  const collector = outputCollector(Number(attempt));
  for (let i = 0; i + 2 < output.length; i += 3)
    collector.add({
      id: '',
      type: String(output[i]) as 'stdout' | 'stderr',
      attempt: Number(attempt),
      step: String(output[i + 1]) || onlyStep,
      data: output[i + 2] as Buffer,
    });
  const found = {
    status: String(status) as RunStatus,
    attempt: Number(attempt),
    worker: String(worker) || null,
    state: JSON.parse(state.toString()) as RunState,
    output: collector.output(),
  };
  return { id: id.toString(), found };
}

function* netstrings(message: Buffer): Generator<Buffer> {
  for (let at = 0; at < message.length; ) {
    const colon = message.indexOf(':', at);
    const from = colon + 1;
    at = from + Number(message.toString('latin1', at, colon));
    yield message.subarray(from, at);
  }
}
