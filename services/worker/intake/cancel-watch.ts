import type { Keys } from '../../../shared/keys.ts';
import type { Log } from '../../../shared/log.ts';
import type { RunStore } from '../../../shared/stores/runs.ts';
import type { Wakeups } from '../../../shared/wakeups.ts';
import type { ActiveRuns } from '../run/active-runs.ts';

/** A message may be lost, so the records are read this often, too. A run ends within 2 s of its cancel, as the API promises. */
const lookEveryMs = 1_000;

/** Ends runs that are cancelled, and runs that are no longer this worker's. Call the answer to stop the watch. */
export async function watchCancels(options: {
  workerId: string;
  keys: Keys;
  runs: RunStore;
  wakeups: Wakeups;
  active: ActiveRuns;
  onCommand: () => void;
  log: Log;
}): Promise<() => void> {
  const { active } = options;
  const unlisten = await options.wakeups.listen(options.keys.workerWake(options.workerId), (message) => {
    if (message.startsWith('cancel ')) active.stop(message.slice('cancel '.length), 'cancelled');
    else options.onCommand();
  });
  let looking = false;
  const timer = setInterval(async () => {
    options.onCommand();
    const holders = active.holders();
    if (looking || holders.length === 0) return;
    looking = true;
    try {
      const verdicts = await options.runs.verdicts(holders);
      for (const [index, verdict] of verdicts.entries()) {
        const runId = holders[index]?.runId;
        if (verdict === 'held' || runId === undefined) continue;
        active.stop(runId, verdict === 'lost' ? 'lock_lost' : verdict);
      }
    } catch (error) {
      options.log.warn({ reason: (error as Error).message }, 'cancels could not be looked up');
    } finally {
      looking = false;
    }
  }, lookEveryMs);
  return () => {
    clearInterval(timer);
    unlisten();
  };
}
