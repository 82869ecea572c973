import type { Colors } from './colors.ts';
import { oneLine, printable } from './harmless.ts';
import type { Sink } from './sink.ts';

export type Fact = [name: string, value: string | undefined];

/** Prints one line for each known fact. Unknown facts are left out. */
export async function printFacts(
  { out, colors }: { out: Sink; colors: Colors },
  facts: readonly Fact[],
): Promise<void> {
  const known = facts.flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[oneLine(name), value]],
  );
  const width = Math.max(...known.map(([name]) => name.length));
  // Further lines of a value are indented, so that they stand below the value and not below the name.
  const indent = `\n${' '.repeat(width + 2)}`;
  for (const [name, value] of known)
    await out.line(`${colors.dim(name.padEnd(width))}  ${printable(value).replace(/\n/g, indent)}`);
}
