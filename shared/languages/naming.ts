import { nameJava } from './java-naming.ts';
import type { Language } from './language.ts';
import type { Named, Source } from './named.ts';

const namings = { java: nameJava } as const satisfies Record<
  string,
  (sources: Source[], taken: Set<string>) => Named
>;

/** More than anybody writes; what is generated has the names that it should. */
const maxChars = 1024 * 1024;

/** Looks into a language's sources where their names depend on it. `others`: paths of files that are none. */
export function nameSources({ naming }: Language, sources: Source[], others: string[]): Named {
  const tooMuch = sources.reduce((sum, { text }) => sum + text.length, 0) > maxChars;
  if (naming === undefined || tooMuch) return { renamed: new Map() };
  const given = sources.map(({ path }) => path);
  return namings[naming](sources, new Set([...others, ...given]));
}
