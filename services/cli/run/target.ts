import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isImageName } from '../../../shared/images.ts';
import { extensionOf } from '../../../shared/languages/names.ts';
import { UsageError } from '../errors.ts';
import { FileCollection, type SentFile } from '../files/collect.ts';
import { quoted, shellWords, withoutDashes } from '../parse/words.ts';
import { isLanguageName, knownExtensions, languageOf } from './language-of.ts';
import type { RunOptions } from './options.ts';

/** What `runlet run` is to run: an image as it is, or a program of the user's in a language. */
export type Target =
  | { kind: 'image'; image: string; command: string[]; files: SentFile[] }
  | { kind: 'code'; language: string; code: string; args: string[] }
  | { kind: 'files'; language: string; files: SentFile[]; args: string[] }
  /** The program comes on stdin. */
  | { kind: 'stdin'; language: string; args: string[] };

/**
 * What the words of the command line mean:
 *
 *   --lang L -c CODE [ARGS]          that code
 *   --lang L - [ARGS]                code from stdin; also -c -
 *   FILE [FILES] [-- ARGS]           that program: with --lang; or for a path that begins with `./`, `../` or `/`; or
 *                                    where there is a regular file with an extension
 *   IMAGE [--] [COMMAND]             that image, as for Docker. A name with a tag is never taken for a file.
 */
export function chooseTarget(
  words: readonly string[],
  options: RunOptions,
  note: (text: string) => void,
): Target {
  const { lang, code } = options;
  const collection = new FileCollection(note);
  const more = () => {
    for (const file of options.file ?? []) collection.addOption(file);
    return collection.files;
  };
  const [first, ...rest] = words;
  if (code === '-' || (code === undefined && first === '-')) {
    if (lang === undefined)
      throw new UsageError('Code from stdin needs a language: name it with --lang, as in `--lang python -`.');
    if (options.file !== undefined)
      throw new UsageError('Code from stdin and --file exclude one another: put the code into a file, too.');
    return { kind: 'stdin', language: lang, args: withoutDashes(code === '-' ? words : rest) };
  }
  if (code !== undefined) {
    if (lang === undefined)
      throw new UsageError('-c needs a language: name it with --lang, as in `--lang python -c CODE`.');
    if (options.file !== undefined)
      throw new UsageError('-c and --file exclude one another: put the code into a file, too.');
    return { kind: 'code', language: lang, code, args: withoutDashes(words) };
  }
  if (first === undefined) {
    if (lang === undefined) throw new UsageError('Name an image or a file to run. See `runlet run --help`.');
    if (options.file === undefined)
      throw new UsageError(`There is no code to run as ${lang}: give -c CODE, a FILE, or - for stdin.`);
    return { kind: 'files', language: lang, files: more(), args: [] };
  }
  const language = lang ?? languageOfPath(first);
  if (language === undefined) {
    refuseNoImage(first, rest);
    refuseCodeForImage(first, rest);
    return { kind: 'image', image: first, command: withoutDashes(rest), files: more() };
  }
  if (statOf(first) === undefined)
    throw new UsageError(
      `${first} is no file here. If it is the code itself, -c comes before it: \`runlet run --lang ${language} -c ${quoted(first)}\`.`,
    );
  const dashes = rest.indexOf('--');
  const others = dashes < 0 ? rest : rest.slice(0, dashes);
  refuseArguments(first, rest, others);
  collection.addProgram(first, others);
  return { kind: 'files', language, files: more(), args: dashes < 0 ? [] : rest.slice(dashes + 1) };
}

/** What lies at a path; `undefined` if nothing does, or nothing that may be looked at. */
function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** The language of a program that the word names. `undefined`: it names an image. */
function languageOfPath(word: string): string | undefined {
  const surely = /^(?:\.{0,2}[/\\])/.test(word) || /^\.{1,2}$/.test(word);
  const facts = statOf(word);
  if (surely && facts === undefined)
    throw new UsageError(`${word} is not here. Check the path; the folder is ${process.cwd()}.`);
  if (facts?.isDirectory() && (surely || !isImageName(word))) throw new UsageError(folderFault(word));
  if (facts?.isFile()) return languageOfFile(word, surely);
  if (surely) throw new UsageError(`${word} is no regular file: name a file with code.`);
  refuseMissingFile(word);
  return undefined;
}

const folderFault = (path: string) => {
  const name = path.replace(/[/\\]+$/, '');
  return `${path} is a folder: name the file in it that is to be run, as in \`runlet run ${name}/main.py\`, or send the whole folder with \`--file ${name}\`.`;
};

function languageOfFile(path: string, surely: boolean): string | undefined {
  const language = languageOf(path);
  if (language !== undefined) return language;
  const extension = extensionOf(path);
  // Without an extension it may be an image whose name is also a file's.
  if (extension === '' && !surely && isImageName(path)) return undefined;
  const why = extension === '' ? 'its name tells no language' : `.${extension} is no language`;
  throw new UsageError(
    `${path} is a file, but ${why}: name it with --lang, as in \`runlet run --lang python ${shellWords([path])}\`.${surely ? '' : asImage(path)}`,
  );
}

/** A bare name that ends as programs do would be asked for at a registry, where it is never found. */
function refuseMissingFile(word: string): void {
  const extension = extensionOf(word);
  if (extension === '' || /[:@\s]/.test(word)) return;
  // `user/app.js` is rather a repository, unless there is such a folder.
  if (word.includes('/') && statOf(dirname(word)) === undefined) return;
  if (languageOf(word) !== undefined)
    throw new UsageError(
      `${word} looks like a program and is not here: check the name and the folder.${asImage(word)}`,
    );
  const stem = word.slice(0, -extension.length);
  const there = knownExtensions().find((one) => statOf(`${stem}${one}`)?.isFile());
  if (there !== undefined)
    throw new UsageError(`${word} is not here. Did you mean ${stem}${there}?${asImage(word)}`);
  // One character too many, as in main.pyx.
  const meant = knownExtensions().find(
    (one) => one.length >= 2 && extension.length === one.length + 1 && extension.startsWith(one),
  );
  if (meant !== undefined)
    throw new UsageError(
      `${word} is not here, and .${extension} is no language. Did you mean ${stem}${meant}?${asImage(word)}`,
    );
}

const asImage = (word: string) => (isImageName(word) ? ` (An image of this name: ${word}:latest.)` : '');

/** Words behind a program are its files. What is no file was mostly meant as an argument. */
function refuseArguments(first: string, rest: readonly string[], others: readonly string[]): void {
  if (rest.includes('--')) return;
  const at = others.findIndex((word) => statOf(word) === undefined);
  if (at < 0) return;
  const files = shellWords([first, ...others.slice(0, at)]);
  const option = others[at]?.startsWith('-') ? ` An option of runlet comes before ${first}.` : '';
  throw new UsageError(
    `${others[at]} is no file here.${option} Arguments come after --: \`runlet run ${files} -- ${shellWords(others.slice(at))}\`.`,
  );
}

/** Says in the words of a mistake what is wrong with a name that no image can have. */
function refuseNoImage(word: string, rest: readonly string[]): void {
  if (isImageName(word)) return;
  const bare = word.trim().replace(/^[a-z]+:\/\//i, '');
  const lower = bare.toLowerCase();
  const like = `Name one like busybox, debian:12 or registry.example.com/team/app:1.`;
  if (/\s/.test(bare))
    throw new UsageError(
      `"${word}" is one word because of its quotes. Write them apart: \`runlet run ${[bare, ...rest].join(' ')}\`.`,
    );
  if (isImageName(bare)) throw new UsageError(`${word} is no image: leave out what is in front of ${bare}.`);
  throw new UsageError(
    isImageName(lower)
      ? `${word} is no image, as their names are in lower case. Did you mean ${lower}?`
      : `${word === '' ? 'An empty word' : word} is no file here, and no image. ${like}`,
  );
}

/** Official images of these names start a shell script that hands `-c` to the program, so it means something there. */
const imagesThatTakeOptions = new Set(['bash', 'node', 'php']);

function refuseCodeForImage(image: string, [option]: readonly string[]): void {
  if (option !== '-c' || !isLanguageName(image) || imagesThatTakeOptions.has(image)) return;
  throw new UsageError(
    `-c comes before what is run, and needs --lang: \`runlet run --lang ${image} -c CODE\`. (For the image: \`runlet run ${image} -- ${image} -c CODE\`.)`,
  );
}
