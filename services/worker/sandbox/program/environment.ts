import type { RunRequest } from '../../../../shared/contracts/run-request.ts';
import type { Tmpfs } from '../../engine/containers.ts';
import type { ImageInfo } from '../../engine/images.ts';
import { usualUser } from '../users/accounts.ts';
import { homeFor } from './folders.ts';

/** The host name inside a sandbox. */
export const sandboxHostname = 'runlet';

/** Docker's default, for images that set none. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The variables that set a program's character encoding (locale(7)). */
const localeNames = ['LANG', 'LC_ALL', 'LC_CTYPE'];

/**
 * Without any of these, a C library treats text as bytes: Bash counts bytes, Java writes `?` for what is not ASCII.
 * glibc has this locale in every image of this decade; musl and static programs need none. A value from the image or
 * the request is kept, even the empty string.
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

/** For a request that does not set these. */
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
  // As login(1) does, both are set. If only one is given, the other gets the same value.
  const name = env.USER ?? env.LOGNAME ?? userName;
  env.USER ??= name;
  env.LOGNAME ??= name;
  return env;
}
