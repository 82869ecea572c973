import type { Colors } from './colors.ts';
import { printable } from './format.ts';
import type { Sink } from './sink.ts';

export type Fact = [name: string, value: string | undefined];

/** One thing and what is known of it, a line each; what is not known has none. */
export async function printFacts(
  { out, colors }: { out: Sink; colors: Colors },
  facts: readonly Fact[],
): Promise<void> {
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
  const width = Math.max(...known.map(([name]) => name.length));
  for (const [name, value] of known) await out.line(`${colors.dim(name.padEnd(width))}  ${printable(value)}`);
}
