import { statSync } from 'node:fs';
import { UsageError } from '../errors.ts';
import { FileCollection, type SentFile } from '../files/collect.ts';
import { withoutDashes } from '../parse/words.ts';
import type { RunOptions } from './options.ts';

/** What `runlet run` is to run: an image as it is, or a program of the user's in a language. */
export type Target =
  | { kind: 'image'; image: string; command: string[]; files: SentFile[] }
  | { kind: 'code'; language: string; code: string; args: string[] }
  | { kind: 'files'; language: string; files: SentFile[]; args: string[] }
  /** The program comes on stdin. */
  | { kind: 'stdin'; language: string; args: string[] };

/** The language of a file, from its name. `undefined` if no known language fits. */
export type LanguageOf = (name: string) => Promise<string | undefined>;

/**
 * What the words of the command line mean:
 *
 *   --lang L -c CODE [ARGS]          that code
 *   --lang L - [ARGS]                code from stdin
 *   FILE [FILES] [-- ARGS]           that program: with --lang; or for a path that begins with `./`, `../` or `/`; or
 *                                    where there is a regular file of a known language
 *   IMAGE [--] [COMMAND]             that image, as for Docker
 */
export async function chooseTarget(
  words: readonly string[],
  options: RunOptions,
  languageOf: LanguageOf,
  note: (text: string) => void,
): Promise<Target> {
  const { lang, code } = options;
  const collection = new FileCollection(note);
  const more = () => {
    for (const file of options.file ?? []) collection.addOption(file);
    return collection.files;
  };
  if (code !== undefined) {
    if (lang === undefined) throw new UsageError('-c needs a language: name it with --lang.');
    if (options.file !== undefined)
      throw new UsageError('-c and --file exclude one another: put the code into a file, too.');
    return { kind: 'code', language: lang, code, args: withoutDashes(words) };
  }
  const [first, ...rest] = words;
  if (first === undefined && lang !== undefined && options.file !== undefined)
    return { kind: 'files', language: lang, files: more(), args: [] };
  if (first === undefined) throw new UsageError('Name an image or a file to run. See `runlet run --help`.');
  if (first === '-') {
    if (lang === undefined) throw new UsageError('Code from stdin needs a language: name it with --lang.');
    if (options.file !== undefined)
      throw new UsageError('Code from stdin and --file exclude one another: put the code into a file, too.');
    return { kind: 'stdin', language: lang, args: withoutDashes(rest) };
  }
  const language = lang ?? (await languageOfPath(first, languageOf));
  if (language === undefined)
    return { kind: 'image', image: first, command: withoutDashes(rest), files: more() };
  const dashes = rest.indexOf('--');
  const others = dashes < 0 ? rest : rest.slice(0, dashes);
  collection.addProgram(first, others);
  return { kind: 'files', language, files: more(), args: dashes < 0 ? [] : rest.slice(dashes + 1) };
}

async function languageOfPath(path: string, languageOf: LanguageOf): Promise<string | undefined> {
  const surely = /^(?:\.{0,2}[/\\])/.test(path);
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  if (!surely && !isFile) return undefined;
  if (!isFile) throw new UsageError(`${path} is no file that can be read.`);
  const language = await languageOf(path);
  if (language === undefined && surely)
    throw new UsageError(`The language of ${path} is not known by its name: name it with --lang.`);
  return language;
}
