import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The user who called `sudo npm start`, as in the passwd file. */
export interface CallingUser {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** Undefined if we are not root, or if root called. Where a user's XDG folders are cannot be known here. */
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

/** Only getent knows users who are not in the file (LDAP). */
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

/** Far larger than any config. A larger file is not one of ours. */
const maxBytes = 64 * 1024;
const patienceMs = 5_000;

/**
 * The text of a user's file, or undefined if there is none. Everything in a user's folder is done as that user. So links and pipes there
 * cannot lead to anything that the user may not reach, and new files belong to the user.
 */
export function readAsUser(user: CallingUser, path: string): string | undefined {
  const { status, stdout } = asUser(user, `head -c ${maxBytes} < "$1"`, [path]);
  return status === 0 ? stdout : undefined;
}

/** On failure it throws what the shell printed. The file is never half written. A missing folder is made. */
export function writeAsUser(user: CallingUser, path: string, text: string): void {
  const script = `umask 077 && folder=$(dirname "$1") && mkdir -p "$folder" && new=$(mktemp "$folder/config.XXXXXX") &&
    cat > "$new" && mv -fT "$new" "$1"`;
  const { status, stderr } = asUser(user, script, [path], text);
  if (status !== 0) throw new Error(stderr.trim() || 'it did not end in time');
}

function asUser({ uid, gid, home }: CallingUser, script: string, args: string[], input = '') {
  // Only the user's own variables: our environment has secrets. Node also gives up our other groups.
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: home };
  return spawnSync('/bin/sh', ['-c', script, 'sh', ...args], {
    ...{ uid, gid, env, input, cwd: '/', encoding: 'utf8', timeout: patienceMs, killSignal: 'SIGKILL' },
    maxBuffer: 2 * maxBytes,
  });
}
