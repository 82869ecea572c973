import { nameJava } from './java-naming.ts';
import type { Language } from './language.ts';
import type { Named, Source } from './named.ts';

const namings = { java: nameJava } as const satisfies Record<
  string,
  (sources: Source[], taken: Set<string>) => Named
>;

/** Nobody writes larger sources by hand, and generated sources have the right names already. */
const maxChars = 1024 * 1024;

/** Reads the sources of a language in which they decide names. `others`: the paths of files that are not sources. */
export function nameSources({ naming }: Language, sources: Source[], others: string[]): Named {
  const tooMuch = sources.reduce((sum, { text }) => sum + text.length, 0) > maxChars;
  if (naming === undefined || tooMuch) return { renamed: new Map() };
  const given = sources.map(({ path }) => path);
  return namings[naming](sources, new Set([...others, ...given]));
}
