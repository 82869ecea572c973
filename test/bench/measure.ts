import { timedProcess } from './spawner.ts';

/** Milliseconds that one call takes. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** What a user would type in our place; the words after `docker run`. */
export async function timedDocker(dockerHost: string, words: string[]): Promise<number> {
  const argv = ['docker', 'run', '--rm', '--network', 'none', ...words];
  return (await timedProcess(argv, { DOCKER_HOST: dockerHost })).ms;
}

/** The value below which this share of the samples lies (nearest rank). */
export function percentile(samples: number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export const median = (samples: number[]) => percentile(samples, 0.5);

/** `p50 / p95 / p99`, in ms. */
export function spread(samples: number[]): string {
  return [0.5, 0.95, 0.99].map((share) => percentile(samples, share).toFixed(1)).join(' / ');
}

/** Calls per second of `lanes` that each begin the next call when the last has ended. */
export async function throughput(lanes: number, calls: number, act: () => Promise<unknown>): Promise<number> {
  let left = calls;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (left > 0) {
        left -= 1;
        await act();
      }
    }),
  );
  return calls / ((performance.now() - began) / 1_000);
}

export type Row = { what: string; runlet: string; peer: string; ratio: string; goal: string };

/** Two numbers of a kind, side by side. */
export function compared(
  what: string,
  [mine, peer]: [number, number],
  unit: 'ms' | '/s' | 'MiB',
  goal = '',
): Row {
  const shown = (value: number) => `${value.toFixed(unit === 'MiB' ? 0 : 1)} ${unit}`;
  const ratio = mine / peer;
  return {
    what,
    runlet: shown(mine),
    peer: shown(peer),
    // A fortieth, as in the goals, needs a third place.
    ratio: ratio.toFixed(ratio < 0.1 ? 3 : 2),
    goal,
  };
}

/** The spread of what one of ours took, with nothing beside it. */
export const alone = (what: string, samples: number[], goal = ''): Row => ({
  what: `${what} p50 / p95 / p99`,
  runlet: `${spread(samples)} ms`,
  peer: '',
  ratio: '',
  goal,
});

export function printTable(rows: Row[]): void {
  const columns = ['what', 'runlet', 'peer', 'ratio', 'goal'] as const;
  const width = (column: (typeof columns)[number]) =>
    Math.max(column.length, ...rows.map((row) => row[column].length));
  const line = (row: Row) => columns.map((column) => row[column].padEnd(width(column))).join('  ');
  console.log(line({ what: 'what', runlet: 'runlet', peer: 'peer', ratio: 'ratio', goal: 'goal' }));
  for (const row of rows) console.log(line(row));
}
