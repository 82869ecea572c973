import { isOnlyBuilt, languageOfImage } from '../../../shared/languages/index.ts';
import { Problem } from '../../../shared/problems.ts';

/** What there is to do about the image of a language that the worker cannot pull; `undefined` for any other image. */
export function howToBuild(reference: string): string | undefined {
  const language = languageOfImage(reference);
  if (language === undefined) return undefined;
  const build = `\`npm run images -- ${language.builtAs}\` on the worker’s machine`;
  return isOnlyBuilt(language)
    ? `No public registry has ${reference}: the image of ${language.title} is built, not pulled. Run ${build}, and use pull "missing".`
    : `Where there is no registry that has ${reference}, run ${build}: it builds one like it.`;
}

/** What there is to do about an image that is not on the worker and was not to be pulled. */
export function howToGet(reference: string): string {
  const how = howToBuild(reference);
  if (how !== undefined && onlyBuilt(reference)) return how;
  return `Pull it first, or use pull "missing".${how === undefined ? '' : ` ${how}`}`;
}

/** Says beside the registry's own words how the image is built. */
export function withHowToBuild(error: unknown, reference: string): unknown {
  const how = howToBuild(reference);
  if (how === undefined || !(error instanceof Problem)) return error;
  switch (error.code) {
    case 'image_not_found':
    case 'registry_auth':
      return onlyBuilt(reference)
        ? // A registry knows nothing of such an image; what it says to a name that it does not have is no help.
          new Problem('image_not_found', how, { cause: error })
        : new Problem(error.code, `${error.message} ${how}`, { cause: error });
    // The operator may have pushed the image to a mirror, which failed.
    case 'registry_unavailable':
    case 'pull_timeout':
      return new Problem(error.code, `${error.message} ${how}`, { cause: error });
    default:
      return error;
  }
}

function onlyBuilt(reference: string): boolean {
  const language = languageOfImage(reference);
  return language !== undefined && isOnlyBuilt(language);
}
