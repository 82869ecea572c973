import type { Colors } from './colors.ts';
import { oneLine, printable } from './harmless.ts';
import type { Sink } from './sink.ts';

export type Fact = [name: string, value: string | undefined];

/** One thing and what is known of it, a line each; what is not known has none. */
export async function printFacts(
  { out, colors }: { out: Sink; colors: Colors },
  facts: readonly Fact[],
): Promise<void> {
  const known = facts.flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[oneLine(name), value]],
  );
  const width = Math.max(...known.map(([name]) => name.length));
  // A second line of a value stands below it, and not where a name would.
  const indent = `\n${' '.repeat(width + 2)}`;
  for (const [name, value] of known)
    await out.line(`${colors.dim(name.padEnd(width))}  ${printable(value).replace(/\n/g, indent)}`);
}
