import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who has called `sudo npm start`, as passwd knows them. */
export interface CallingUser {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** Undefined where we are not root, or root has called. Where a user's XDG folders are is not known from here. */
export function callingUser(
  env: NodeJS.ProcessEnv = process.env,
  ourUid = process.getuid?.() ?? -1,
  passwd: string = readPasswd(),
): CallingUser | undefined {
  if (ourUid !== 0 || !/^[1-9]\d{0,9}$/.test(env.SUDO_UID ?? '')) return undefined;
  for (const line of passwd.split('\n')) {
    const [name = '', , uid, gid, , home = ''] = line.split(':');
    if (uid === env.SUDO_UID && home.startsWith('/'))
      return { name, uid: Number(uid), gid: Number(gid), home };
  }
  return undefined;
}

/** Users who are not in the file (LDAP) are known to getent alone. */
function readPasswd(): string {
  const asked = spawnSync('getent', ['passwd', ...(process.env.SUDO_UID ? [process.env.SUDO_UID] : [])], {
    encoding: 'utf8',
    timeout: 5_000,
  });
  if (asked.status === 0) return asked.stdout;
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}

export const configOf = (user: CallingUser) => join(user.home, '.config/runlet/config.json');

/** Far above any config; a file that is larger is none of ours. */
const maxBytes = 64 * 1024;
const patienceMs = 5_000;

/**
 * What stands in a user's file; undefined: nothing. All that is done in a user's folder is done as that user: whatever links and pipes
 * are put there lead no further than the user may go, and what is made belongs to them.
 */
export function readAsUser(user: CallingUser, path: string): string | undefined {
  const { status, stdout } = asUser(user, `head -c ${maxBytes} < "$1"`, [path]);
  return status === 0 ? stdout : undefined;
}

/** Throws what the shell has said. The file is never there in part; its folder is made where it is missing. */
export function writeAsUser(user: CallingUser, path: string, text: string): void {
  const script = `umask 077 && folder=$(dirname "$1") && mkdir -p "$folder" && new=$(mktemp "$folder/config.XXXXXX") &&
    cat > "$new" && mv -fT "$new" "$1"`;
  const { status, stderr } = asUser(user, script, [path], text);
  if (status !== 0) throw new Error(stderr.trim() || 'it did not end in time');
}

function asUser({ uid, gid, home }: CallingUser, script: string, args: string[], input = '') {
  // The user's alone: our own environment holds secrets. Node drops our other groups with the rest.
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home };
  return spawnSync('/bin/sh', ['-c', script, 'sh', ...args], {
    ...{ uid, gid, env, input, cwd: '/', encoding: 'utf8', timeout: patienceMs, killSignal: 'SIGKILL' },
    maxBuffer: 2 * maxBytes,
  });
}
