import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Where Runlet keeps its files: for root, where Debian keeps variable data; for another user, where XDG says. */
export function dataFolder(env: NodeJS.ProcessEnv): string {
  if (env.RUNLET_DATA_DIR !== undefined && env.RUNLET_DATA_DIR !== '') return env.RUNLET_DATA_DIR;
  if (userInfo().uid === 0) return '/var/lib/runlet';
  return join(env.XDG_DATA_HOME ?? join(homedir(), '.local/share'), 'runlet');
}
