import type { RunRequest } from '../../../../shared/contracts/run-request.ts';
import type { Tmpfs } from '../../engine/containers.ts';
import type { ImageInfo } from '../../engine/images.ts';
import { usualUser } from '../users/accounts.ts';
import { homeFor } from './folders.ts';

/** What a sandbox calls itself. */
export const sandboxHostname = 'runlet';

/** Docker's own, for images that name none. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What says which characters a program writes (locale(7)). */
const localeNames = ['LANG', 'LC_ALL', 'LC_CTYPE'];

/**
 * Without any of these a C library takes text for bytes: Bash counts them, Java writes `?` for what is not ASCII. glibc has
 * this one in every image of this decade, musl and static programs need none. What image or request say, and be it the empty
 * string, stands.
 */
export const usualLocale = (...environments: Record<string, unknown>[]): Record<string, string> =>
  environments.some((env) => localeNames.some((name) => Object.hasOwn(env, name))) ? {} : { LANG: 'C.UTF-8' };

/** The variables of an image, of which each is a line `NAME=value`. */
export const imageEnvironment = (image: Pick<ImageInfo, 'env'>): Record<string, string> =>
  Object.fromEntries(
    image.env.flatMap((line) => {
      const at = line.indexOf('=');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
    }),
  );

/** A request that says nothing of it. */
export const plain = { env: {}, tty: false };

/** The environment of a run's programs: the image's, then what every sandbox has, then the request's. Pure. */
export function programEnvironment(
  request: Pick<RunRequest, 'env' | 'tty'>,
  image: Pick<ImageInfo, 'env'>,
  folders: Pick<Tmpfs, 'path'>[],
  ofLanguage: Record<string, string> = {},
  userName = usualUser,
): Record<string, string> {
  const env: Record<string, string> = { PATH: defaultPath, HOSTNAME: sandboxHostname };
  if (request.tty) env.TERM = 'xterm';
  Object.assign(env, imageEnvironment(image), ofLanguage, request.env);
  Object.assign(env, usualLocale(env));
  env.HOME = homeFor(request.env, image.env, folders);
  // As login(1) sets both. One that is given says what the other is.
  const name = env.USER ?? env.LOGNAME ?? userName;
  env.USER ??= name;
  env.LOGNAME ??= name;
  return env;
}
