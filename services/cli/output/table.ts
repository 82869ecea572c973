import { oneLine } from './harmless.ts';
import type { Sink } from './sink.ts';

const gap = 2;
/** No column is cut to less than this, however narrow the terminal is. */
const leastWidth = 6;

/** Prints a table. On a terminal its columns are cut so that no row is longer than a line; in a pipe they are whole. */
export async function printTable(
  { out }: { out: Sink },
  head: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  await out.line(formatTable(head, rows, out.isTTY ? out.stream.columns : undefined));
}

/** Left-aligned columns, two spaces apart. There are no spaces at the end of a line. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns?: number,
): string {
  const cells = [head, ...rows].map((row) => row.map(oneLine));
  const whole = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const widths = columns === undefined || columns < 1 ? whole : cutToFit(whole, columns);
  return cells
    .map((row) =>
      row
        .map((cell, column) => cut(cell, widths[column] ?? 0).padEnd(widths[column] ?? 0))
        .join(' '.repeat(gap))
        .trimEnd(),
    )
    .join('\n');
}

/** Takes from the widest column until all fit. The first one, by which a row is named, stays whole. */
function cutToFit(whole: readonly number[], columns: number): number[] {
  const widths = [...whole];
  let over = widths.reduce((sum, width) => sum + width, (widths.length - 1) * gap) - columns;
  for (; over > 0; over -= 1) {
    const widest = Math.max(...widths.slice(1));
    if (widest <= leastWidth) break;
    widths[widths.lastIndexOf(widest)] = widest - 1;
  }
  return widths;
}

const cut = (cell: string, width: number) => (cell.length > width ? `${cell.slice(0, width - 1)}…` : cell);
