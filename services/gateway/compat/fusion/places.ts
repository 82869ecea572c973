import { posix } from 'node:path';

/** Where a language's program starts, and where its files lie. */
const usual = '/work';
const temporary = '/tmp';

/**
 * The work folder of a run, and the paths of its files relative to it. Files are put into the work folder, and taken from it: so where a
 * client names a path below /tmp, the work folder is /tmp itself.
 */
export type Places = {
  /** `undefined`: the usual one. */
  workdir: string | undefined;
  /** `undefined`: the path leads out of the work folder. */
  relative(path: string): string | undefined;
};

export function placesFor(paths: string[]): Places {
  const isTemporary = paths.some((path) => posix.normalize(path).startsWith(`${temporary}/`));
  const workdir = isTemporary ? temporary : usual;
  return {
    workdir: isTemporary ? workdir : undefined,
    relative(path) {
      const whole = posix.resolve(workdir, path);
      return whole.startsWith(`${workdir}/`) ? whole.slice(workdir.length + 1) : undefined;
    },
  };
}

/** The glob that matches this path, and no other. */
export const globOf = (path: string): string => path.replace(/[\\*?[\]{}]/g, '\\$&');
