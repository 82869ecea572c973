import { nearest } from '../../shared/did-you-mean.ts';
import { findLanguage, listLanguages } from '../../shared/languages/index.ts';
import { knownImages, offeredImages, readDefinition } from './definition.ts';
import { familiarNames } from './load.ts';

/** The definition that is meant by its own name, by an image's, or by a language that runs in it: `java`, `eclipse-temurin`, `c++`. */
export function definitionFor(word: string): string {
  const name = word.toLowerCase();
  if (knownImages().includes(name)) return name;
  const makes = knownImages().find((one) => referencesOf(one).includes(name));
  if (makes !== undefined) return makes;
  const found = findLanguage(name);
  if (!('fault' in found)) return found.language.builtAs;
  const languages = listLanguages().flatMap((one) => [one.name, ...one.aliases]);
  const meant = nearest(name, [...offeredImages(), ...languages]);
  throw new Error(
    `There is no image '${word}' that can be built. ${meant === undefined ? '' : `Did you mean ${meant}? `}\`npm run images\` lists them: ${offeredImages().join(', ')}.`,
  );
}

/** The names of a definition's image, with and without its tags. */
function referencesOf(name: string): string[] {
  const references = familiarNames(readDefinition(name));
  return [...references, ...references.map((one) => one.replace(/:[^:]*$/, ''))];
}
