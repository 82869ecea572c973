import semver from 'semver';
import { type Language, listLanguages } from '../../../../shared/languages/index.ts';

/** A language as Piston calls it. `version` is x.y.z of the image that Runlet has. */
export type Runtime = {
  language: string;
  version: string;
  aliases: string[];
  /** The package that brings it, where that has another name. */
  runtime?: string;
  /** The language of ours that it is. */
  own: Language;
};

/** Where Piston's name is another than ours, its aliases beside ours, and its packages that bring several languages. */
const theirs: Record<string, { language?: string; aliases?: string[]; runtime?: string }> = {
  c: { runtime: 'gcc' },
  commonlisp: { language: 'lisp', aliases: ['cl'] },
  cpp: { language: 'c++', runtime: 'gcc' },
  fortran: { runtime: 'gcc' },
  javascript: { aliases: ['node-javascript', 'node-js'], runtime: 'node' },
  pascal: { aliases: ['pp', 'pas'] },
  prolog: { aliases: ['plg'] },
  python: { aliases: ['py3'] },
  r: { language: 'rscript' },
  ruby: { aliases: ['ruby3'] },
  sql: { language: 'sqlite3' },
  typescript: { aliases: ['node-ts', 'tsc'], runtime: 'node' },
};

const all: readonly Runtime[] = listLanguages()
  .map((own) => {
    const { language = own.name, aliases = [], runtime } = theirs[own.name] ?? {};
    const names = new Set([own.name, ...own.aliases, ...aliases]);
    names.delete(language);
    return { language, version: own.version, aliases: [...names], ...(runtime && { runtime }), own };
  })
  .sort((a, b) => (a.language < b.language ? -1 : 1));

const byName = new Map(
  all.flatMap((one) => [one.language, ...one.aliases].map((name) => [name, one] as const)),
);

export const listRuntimes = (): readonly Runtime[] => all;

/** @param version a semver range: `3.11.2`, `3.x`, `*` */
export function findRuntime(language: string, version: string): Runtime | undefined {
  const found = byName.get(language);
  return found !== undefined && semver.satisfies(found.version, version) ? found : undefined;
}
