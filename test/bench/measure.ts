/** Milliseconds that one call takes. */
export async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** The value below which this share of the samples lies (nearest rank). */
export function percentile(samples: number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
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

export function printTable(rows: Row[]): void {
  const columns = ['what', 'runlet', 'peer', 'ratio', 'goal'] as const;
  const width = (column: (typeof columns)[number]) =>
    Math.max(column.length, ...rows.map((row) => row[column].length));
  const line = (row: Row) => columns.map((column) => row[column].padEnd(width(column))).join('  ');
  console.log(line({ what: 'what', runlet: 'runlet', peer: 'peer', ratio: 'ratio', goal: 'goal' }));
  for (const row of rows) console.log(line(row));
}
