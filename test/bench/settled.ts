import { setTimeout as sleep } from 'node:timers/promises';
import type { Runlet } from '../support/runlet.ts';
import type { Context, Driven } from './context.ts';
import { processTimes, treeOf } from './process-tree.ts';

/** What a driver without an Engine starts is below its worker. */
function belowWorkers(runlets: Runlet[]): string {
  const all = processTimes();
  const pids = runlets.flatMap(({ workers }) => workers.flatMap(({ pid }) => treeOf(all, pid)));
  return pids.map(({ pid }) => pid).join();
}

/** Until the pools have what they want to have, and what was used is gone: nobody's work falls into what is measured next. */
export const settled = ({ raw }: Pick<Context, 'raw'>, driven: Driven[]) =>
  raw.calm(undefined, () => belowWorkers(driven.map(({ runlet }) => runlet)));

/** Until nothing is left of a run, where there is no pool: its container, and its processes. */
export async function drained({ raw }: Pick<Context, 'raw'>, runlet: Runlet): Promise<void> {
  await raw.drained();
  for (let last = ''; ; await sleep(20)) {
    const now = belowWorkers([runlet]);
    if (now === last) return;
    last = now;
  }
}
