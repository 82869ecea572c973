import { builtImage } from '../../../shared/languages/index.ts';
import { Problem } from '../../../shared/problems.ts';

/** What there is to do about an image that is built and not pulled; `undefined` for any other. */
export function howToBuild(reference: string): string | undefined {
  const built = builtImage(reference);
  return (
    built &&
    `No public registry has ${reference}: the image of ${built.title} is built, not pulled. Run \`npm run images -- ${built.builtAs}\` on the worker’s machine, and use pull "missing".`
  );
}

/** A registry knows nothing of such an image; what it says to a name that it does not have is no help. */
export function withHowToBuild(error: unknown, reference: string): unknown {
  const how = howToBuild(reference);
  if (how === undefined || !(error instanceof Problem)) return error;
  switch (error.code) {
    case 'image_not_found':
    case 'registry_auth':
      return new Problem('image_not_found', how, { cause: error });
    case 'registry_unavailable':
      // The operator may have pushed the image to a mirror, which failed.
      return new Problem(error.code, `${error.message} ${how}`, { cause: error });
    default:
      return error;
  }
}
