import type { Row } from './measure.ts';

const columns = ['what', 'runlet', 'peer', 'ratio', 'goal'] as const;
type Cells = Record<(typeof columns)[number], string>;

/** What is shown of a row, in the table and beside its numbers in the JSON. */
export function cellsOf({ what, values, goal, look }: Row): Cells {
  if ('p50' in values) {
    const shown = [values.p50, values.p95, values.p99].map((ms) => ms.toFixed(1));
    return { what: `${what} p50 / p95 / p99`, runlet: `${shown.join(' / ')} ms`, peer: '', ratio: '', goal };
  }
  const { unit } = values;
  const { digits = unit === 'MiB' || unit === '/GiB' ? 0 : 1, as = 'ratio' } = look ?? {};
  const shown = (value: number) => `${value.toFixed(digits)} ${unit}`;
  if ('amount' in values) return { what, runlet: shown(values.amount), peer: '', ratio: '', goal };
  const { mine, peer, ratio } = values;
  const more = mine - peer;
  // A fortieth, as in the goals, needs a third place.
  const quotient = ratio.toFixed(ratio < 0.1 ? 3 : 2);
  return {
    what,
    runlet: shown(mine),
    peer: shown(peer),
    ratio: as === 'ratio' ? quotient : `${more < 0 ? '' : '+'}${shown(more)}`,
    goal,
  };
}

export function printTable(rows: Cells[]): void {
  const head: Cells = { what: 'what', runlet: 'runlet', peer: 'peer', ratio: 'ratio', goal: 'goal' };
  const all = [head, ...rows];
  const widths = columns.map((column) => Math.max(...all.map((row) => row[column].length)));
  for (const row of all)
    console.log(columns.map((column, i) => row[column].padEnd(widths[i] ?? 0)).join('  '));
}
