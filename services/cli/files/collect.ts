import { isUtf8 } from 'node:buffer';
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { UsageError } from '../errors.ts';

/** One of the request's `files`. */
export type SentFile = { path: string; content: string; encoding?: 'base64'; mode?: string };

/** The server's default for the most files that one run may have. */
const maxFiles = 1000;
const maxBytes = 8 * 1024 * 1024;

/** Collects files for a request. Reports early, and with the file's name, when there are too many. */
export class FileCollection {
  readonly files: SentFile[] = [];
  readonly #note: (text: string) => void;
  #bytes = 0;

  constructor(note: (text: string) => void) {
    this.#note = note;
  }

  /** `--file LOCAL[:PATH]`: a file, or a folder with everything in it. */
  addOption(text: string): void {
    const { local, path } = splitOption(text);
    if (statOf(local).isDirectory()) this.#addFolder(local, path ?? nameOf(local));
    else this.addFile(local, path ?? nameOf(local));
  }

  /** The program's own files. The paths of the others are relative to the folder of the first. */
  addProgram(first: string, others: readonly string[]): void {
    const folder = dirname(first);
    for (const local of [first, ...others]) {
      if (statOf(local).isDirectory())
        throw new UsageError(`${local} is a folder: give it with --file. See \`runlet run --help\`.`);
      const below = relative(folder, local).split(sep).join('/');
      this.addFile(local, below.startsWith('../') ? basename(local) : below);
    }
  }

  addFile(local: string, path: string): void {
    const { size, mode } = statOf(local);
    this.#bytes += size;
    if (this.#bytes > maxBytes)
      throw new UsageError(`${local}: the files are larger than 8 MiB together: bring them in an image.`);
    if (this.files.length >= maxFiles)
      throw new UsageError(`${local}: there are more than ${maxFiles} files: bring them in an image.`);
    const data = readOf(local);
    this.files.push({
      path,
      ...(isUtf8(data)
        ? { content: data.toString('utf8') }
        : { content: data.toString('base64'), encoding: 'base64' as const }),
      ...((mode & 0o111) !== 0 && { mode: '0755' }),
    });
  }

  #addFolder(local: string, path: string): void {
    for (const name of readdirSync(local).sort()) {
      const from = join(local, name);
      const to = path === '' ? name : `${path}/${name}`;
      const facts = lstatSync(from);
      if (facts.isDirectory()) this.#addFolder(from, to);
      else if (facts.isFile()) this.addFile(from, to);
      // A link may lead anywhere. Its target is not sent unless the user names it.
      else this.#note(`${from} is no regular file: it is not sent.`);
    }
  }
}

/** The part after the last colon is the path in the run, unless the whole text is the name of a local file. */
function splitOption(text: string): { local: string; path: string | undefined } {
  const at = text.lastIndexOf(':');
  if (at <= 0 || exists(text)) return { local: text, path: undefined };
  // `--file src:.` puts the content of the folder directly into the work folder.
  const path = text
    .slice(at + 1)
    .replace(/^(?:\.\/)+/, '')
    .replace(/\/+$/, '');
  return { local: text.slice(0, at), path: path === '.' ? '' : path };
}

const nameOf = (local: string) => {
  const name = basename(local);
  return name === '.' || name === '..' || name === sep ? '' : name;
};

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

export function readOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

const reasons: Record<string, string> = {
  ENOENT: 'there is nothing of this name here',
  ENOTDIR: 'there is nothing of this name here',
  EACCES: 'you may not read it: see its owner and mode with `ls -l`',
  EISDIR: 'it is a folder: name a file in it',
};

function unreadable(path: string, error: unknown): UsageError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return new UsageError(`${path} cannot be read: ${reasons[code] ?? code}.`);
}
