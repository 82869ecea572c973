import { nearest } from '../../../shared/did-you-mean.ts';
import { extensionOf, languageNames } from '../../../shared/languages/names.ts';
import { UsageError } from '../errors.ts';
import type { ApiClient } from '../http/api-client.ts';

type Listed = { name: string; aliases: string[] };

/** The name of a file's language, from the file's name. */
export function languageOf(fileName: string): string | undefined {
  const extension = extensionOf(fileName);
  return languageNames().find(({ extensions }) => extensions.includes(extension))?.name;
}

/** The extensions of all languages that this version knows, without the dot. */
export const knownExtensions = (): string[] => languageNames().flatMap(({ extensions }) => extensions);

/** Every name and alias that this version knows. */
const knownNames = (languages: readonly Listed[]) =>
  languages.flatMap(({ name, aliases }) => [name, ...aliases]);

export const isLanguageName = (word: string): boolean =>
  knownNames(languageNames()).includes(word.toLowerCase());

/** The language whose name is spelt almost so; `undefined` if there is none, or several. */
export const nearestLanguage = (word: string): string | undefined =>
  nearest(word.toLowerCase(), knownNames(languageNames()));

/**
 * Refuses a `--lang` that the server does not have. A server may have languages that this version does not know, so it is asked
 * about those.
 */
export async function checkLanguage(wanted: string, api: ApiClient): Promise<void> {
  const [name = ''] = wanted.split('@', 1);
  if (isLanguageName(name)) return;
  const { data } = await api.json<{ data: Listed[] }>({ path: '/v1/languages' });
  const there = knownNames(data);
  if (there.includes(name.toLowerCase())) return;
  const meant = nearest(name, there) ?? nearestLanguage(name);
  throw new UsageError(
    `--lang ${wanted}: there is no such language. ${meant === undefined ? '' : `Did you mean ${meant}? `}\`runlet languages\` lists them.`,
  );
}
