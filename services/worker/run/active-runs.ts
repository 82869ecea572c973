import type { Holder } from '../../../shared/stores/runs.ts';
import type { Stop, StopCause } from './run-stop.ts';

export type ActiveRuns = ReturnType<typeof createActiveRuns>;

/** The runs that this worker is executing, and how to end them. */
export function createActiveRuns() {
  const active = new Map<string, { holder: Holder; stop: Stop }>();
  return {
    add(holder: Holder, stop: Stop): void {
      active.set(holder.runId, { holder, stop });
    },
    remove(runId: string): void {
      active.delete(runId);
    },
    /** Whether this attempt is being executed: its container is no orphan. */
    holds: (runId: string, attempt: number) => active.get(runId)?.holder.attempt === attempt,
    has: (runId: string) => active.has(runId),
    holders: () => [...active.values()].map((entry) => entry.holder),
    size: () => active.size,
    stop(runId: string, cause: StopCause): void {
      active.get(runId)?.stop.stop(cause);
    },
    stopAll(cause: StopCause): void {
      for (const entry of active.values()) entry.stop.stop(cause);
    },
  };
}
