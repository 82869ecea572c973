import { findLanguage, isOnlyBuilt, type Language, listLanguages } from '../languages/index.ts';

const built = listLanguages().filter(isOnlyBuilt);

/** For the documentation: what an operator must do for languages whose image cannot be pulled. */
export const imagesToBuild = `No public registry has the images of ${built.map(({ title }) => title).join(', ')}: \`npm run images -- ${built.map(({ builtAs }) => builtAs).join(' ')}\` builds them.`;

/** The language that a request names, or the reason why there is none. */
export function languageFor(
  wanted: string,
): { language: Language; fault?: undefined } | { language?: undefined; fault: string } {
  const found = findLanguage(wanted);
  if (!('fault' in found)) return found;
  switch (found.fault) {
    case 'unknown': {
      const names = listLanguages().map(({ name }) => name);
      return { fault: `is not known; there are ${names.join(', ')} (GET /v1/languages)` };
    }
    case 'version':
      return {
        fault: `is not there in this version: ${found.language.name} is ${found.language.version} here`,
      };
    default:
      return found satisfies never;
  }
}
