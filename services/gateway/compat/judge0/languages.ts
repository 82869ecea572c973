import { findLanguage, type Language } from '../../../../shared/languages/index.ts';

/** Judge0's ids, each with the language of ours that it means. Names show our versions, because these are what runs. */
const table: readonly [ours: string, name: string, ids: number[]][] = [
  ['assembly', 'Assembly (GNU as, GCC %)', [45]],
  ['bash', 'Bash (%)', [46]],
  ['c', 'C (GCC %)', [48, 49, 50, 75, 103, 104, 110]],
  ['cpp', 'C++ (GCC %)', [52, 53, 54, 76, 105]],
  ['commonlisp', 'Common Lisp (SBCL %)', [55]],
  ['fortran', 'Fortran (GFortran %)', [59]],
  ['go', 'Go (%)', [60, 95, 106, 107]],
  ['java', 'Java (OpenJDK %)', [62, 91]],
  ['javascript', 'JavaScript (Node.js %)', [63, 93, 97, 102]],
  ['lua', 'Lua (%)', [64]],
  ['pascal', 'Pascal (FPC %)', [67]],
  ['php', 'PHP (%)', [68, 98]],
  ['prolog', 'Prolog (SWI-Prolog %)', [69]],
  ['python', 'Python (%)', [71, 92, 100, 109]],
  ['ruby', 'Ruby (%)', [72]],
  ['rust', 'Rust (%)', [73, 108]],
  ['typescript', 'TypeScript (%)', [74, 94, 101]],
  ['r', 'R (%)', [80, 99]],
  ['sql', 'SQL (SQLite %)', [82]],
  ['perl', 'Perl (%)', [85]],
];

/** Its zip brings the scripts `run` and, where it is compiled, `compile`. */
export const multiFileId = 89;

export type Judge0Language = {
  id: number;
  name: string;
  /** `undefined`: a program of several files, with scripts of its own. */
  language: Language | undefined;
};

const all = new Map<number, Judge0Language>();
for (const [ours, name, ids] of table) {
  const found = findLanguage(ours);
  if ('fault' in found) throw new Error(`there is no language ${ours}`);
  const { language } = found;
  for (const id of ids) all.set(id, { id, name: name.replace('%', language.version), language });
}
all.set(multiFileId, { id: multiFileId, name: 'Multi-file program', language: undefined });

/** In order of their ids. */
export const judge0Languages: readonly Judge0Language[] = [...all.values()].sort((a, b) => a.id - b.id);

export const judge0Language = (id: number): Judge0Language | undefined => all.get(id);
