import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import semver from 'semver';
import { familiarName } from '../images.ts';
import { type Language, language } from './language.ts';
import { type RuntimeLimits, withSizes } from './sizes.ts';

export { compilerOptionFault } from './compiler-options.ts';
export type { Language } from './language.ts';
export type { Named } from './named.ts';
export { nameSources } from './naming.ts';
export type { RuntimeLimits } from './sizes.ts';

const folder = new URL('data/', import.meta.url);

const all: Language[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => language.parse(JSON.parse(readFileSync(new URL(name, folder), 'utf8'))));

const byName = new Map<string, Language>();
const byExtension = new Map<string, Language>();
const byImage = new Map<string, Language>();
for (const one of all) {
  for (const name of [one.name, ...one.aliases]) claim(byName, name, one);
  for (const extension of one.extensions) claim(byExtension, extension, one);
  // Several languages may share an image, which is then built by the same definition.
  byImage.set(familiarName(one.image), one);
}

/** Throws if two data files claim the same name. */
function claim(map: Map<string, Language>, key: string, one: Language): void {
  const other = map.get(key);
  if (other !== undefined) throw new Error(`${other.name} and ${one.name} are both called "${key}"`);
  map.set(key, one);
}

export const listLanguages = (): readonly Language[] => all;

export type Found = { language: Language } | { fault: 'unknown' } | { fault: 'version'; language: Language };

/** Finds a language by name or alias, with an optional semver range after an `@`: `python`, `py@3.11`, `node@>=22`. */
export function findLanguage(spec: string): Found {
  const at = spec.indexOf('@');
  const name = (at < 0 ? spec : spec.slice(0, at)).toLowerCase();
  const found = byName.get(name);
  if (found === undefined) return { fault: 'unknown' };
  if (at < 0) return { language: found };
  const range = semver.validRange(spec.slice(at + 1));
  return range !== null && semver.satisfies(found.version, range)
    ? { language: found }
    : { fault: 'version', language: found };
}

/** Finds a language by a file's extension. `undefined`: no language has this extension. */
export function languageOfFile(fileName: string): Language | undefined {
  return byExtension.get(posix.extname(fileName).slice(1).toLowerCase());
}

/** The language of an image, if a language has this image. */
export function languageOfImage(reference: string): Language | undefined {
  return byImage.get(familiarName(reference));
}

/** True if no public registry has the image of this language: then it is built, and never pulled. */
export const isOnlyBuilt = ({ image }: Language): boolean => image.startsWith('runlet-');

/** True if a program of this language has a step `compile`, at least in some of its projects. */
export const hasCompiler = ({ compile, projects }: Language): boolean =>
  compile !== undefined || Object.values(projects).some((own) => own.compile !== undefined);

const usualLimits: RuntimeLimits = { memoryBytes: 256 * 1024 * 1024 };

/**
 * The command lines for a program made of these files, within these limits (the compiler’s may be others). Paths are relative to the work folder. A pure
 * function.
 */
export function commandLines(
  one: Language,
  program: {
    entry: string;
    files: string[];
    mainClass?: string | undefined;
    compilerOptions?: string[] | undefined;
  },
  limits = usualLimits,
  compileLimits = limits,
): { compile?: string[]; run: string[] } {
  const entry = asOperand(program.entry);
  const project = Object.keys(one.projects).find((name) => program.files.includes(name));
  const own = project === undefined ? undefined : one.projects[project];
  const { compile = one.compile, run = one.run } = own ?? {};
  const isSource = (path: string) => one.extensions.includes(posix.extname(path).slice(1).toLowerCase());
  const others = program.files.filter((path) => path !== program.entry && isSource(path));
  const fill = (template: string[], within: RuntimeLimits) =>
    template.flatMap((word) => {
      if (word === '{file}') return [entry];
      if (word === '{others}') return others.map(asOperand);
      if (word === '{options}') return program.compilerOptions ?? [];
      if (word === '{folder}') return [`./${posix.dirname(program.entry)}`];
      if (word === '{class}') return [program.mainClass ?? asOperand(className(program.entry))];
      return [withSizes(word, within)];
    });
  return { ...(compile && { compile: fill(compile, compileLimits) }), run: fill(run, limits) };
}

/** The language's own environment variables, within these limits. A pure function. */
export const languageEnv = ({ env }: Language, limits: RuntimeLimits): Record<string, string> =>
  Object.fromEntries(Object.entries(env).map(([name, value]) => [name, withSizes(value, limits)]));

/**
 * Some names look like an option, or like a file of options (javac, gcc). They get `./` in front, so that a program reads them
 * as paths.
 */
const asOperand = (path: string) => (/^[-+@]/.test(path) ? `./${path}` : path);

/** Folders become packages, except the folders that usually hold the sources (`src`, `src/main/java`). */
function className(entry: string): string {
  const { dir, name } = posix.parse(entry.replace(/^src\/(?:main\/java\/)?/, ''));
  return [...dir.split('/').filter((part) => part !== ''), name].join('.');
}
