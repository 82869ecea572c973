import type { ActiveStatus } from '../../../shared/run-states.ts';
import type { RunState } from '../../../shared/stores/run-record.ts';
import type { Holder, RunStore } from '../../../shared/stores/runs.ts';
import type { Stop } from './run-stop.ts';

/** Moves a run to another status. Throws the stop's reason where it is cancelled, or no longer this worker's. */
export async function moveOrStop(
  runs: Pick<RunStore, 'move'>,
  holder: Holder,
  to: ActiveStatus,
  state: RunState,
  stop: Stop,
): Promise<void> {
  const moved = await runs.move(holder, to, state);
  if (moved !== 'moved') stop.stop(moved === 'lost' ? 'lock_lost' : moved);
  stop.signal.throwIfAborted();
}
