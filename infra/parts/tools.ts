import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// A plain user's PATH often lacks the sbin folders, where dockerd, iptables and ip live.
const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** PATH followed by the system's folders, for children that call such tools themselves. */
export function searchPath(env: NodeJS.ProcessEnv = process.env): string {
  const own = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...new Set([...own, ...systemFolders])].join(delimiter);
}

/** The full path of the first of these programs that is installed, or undefined. */
export function findTool(...names: string[]): string | undefined {
  for (const name of names) {
    for (const folder of searchPath().split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // It is not in this folder. Try the next one.
      }
    }
  }
  return undefined;
}
