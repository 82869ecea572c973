import { isTerminal } from '../../shared/run-states.ts';
import type { RunStore } from '../../shared/stores/runs.ts';

const lookMs = 1_000;

/** Whether a run has ended, or is gone. Without Redis the answer is no: the run is stored, so whoever waits goes on. */
export async function hasEnded(runs: Pick<RunStore, 'status'>, id: string): Promise<boolean> {
  const status = await runs.status(id).catch(() => 'queued' as const);
  return status === undefined || isTerminal(status);
}

/**
 * The message of a run's end may be missed (pub/sub), so every run that is waited for is looked at once a second: each of them once,
 * however many requests wait for it, and all with one timer.
 */
export function createRunLooks(runs: Pick<RunStore, 'status'>) {
  const awaited = new Map<string, Set<() => void>>();
  let timer: NodeJS.Timeout | undefined;

  async function look(id: string): Promise<void> {
    if (!(await hasEnded(runs, id))) return;
    for (const tell of awaited.get(id) ?? []) tell();
  }

  return {
    /** Calls back when the run is seen to have ended, or to be gone. The function that it returns stops it. */
    at(id: string, tell: () => void): () => void {
      const all = awaited.get(id) ?? new Set();
      awaited.set(id, all.add(tell));
      timer ??= setInterval(() => {
        for (const one of awaited.keys()) void look(one);
      }, lookMs);
      return () => {
        all.delete(tell);
        if (all.size === 0 && awaited.get(id) === all) awaited.delete(id);
        if (awaited.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}
