import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';

/** What names a language, as its data file has it. */
type Names = { name: string; aliases?: string[]; extensions?: string[] };

const folder = new URL('data/', import.meta.url);
let known: Required<Names>[] | undefined;

/**
 * The names of the languages, read without the schema that checks the data files: the command line needs them at its start, and
 * loading zod would take longer than all else.
 */
export function languageNames(): Required<Names>[] {
  known ??= readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map(namesIn);
  return known;
}

function namesIn(file: string): Required<Names> {
  const data = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Names;
  const { name, aliases = [], extensions = [] } = data;
  return { name, aliases, extensions };
}

/** The extension of a file's name, in lower case and without the dot. */
export const extensionOf = (fileName: string): string => extname(fileName).slice(1).toLowerCase();
