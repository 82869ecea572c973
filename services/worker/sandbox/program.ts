import type { RunRequest } from '../../../shared/contracts/run-request.ts';
import type { ImageInfo, Tmpfs } from '../engine/engine.ts';
import { usualUser } from './accounts.ts';
import { sandboxHostname } from './container-spec.ts';
import { homeFor } from './folders.ts';

/** Docker's own, for images that name none. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

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
  for (const line of image.env) {
    const at = line.indexOf('=');
    if (at > 0) env[line.slice(0, at)] = line.slice(at + 1);
  }
  Object.assign(env, ofLanguage, request.env);
  env.HOME = homeFor(request.env, image.env, folders);
  // As login(1) sets both. One that is given says what the other is.
  const name = env.USER ?? env.LOGNAME ?? userName;
  env.USER ??= name;
  env.LOGNAME ??= name;
  return env;
}
