import type { RunUser } from './run-users.ts';

/**
 * A file of an image: its bytes; absent; or something that is not usable as such a file (a folder, too large, binary).
 */
export type Found = Buffer | 'absent' | 'unusable';

export type Accounts = {
  /** The name of the run's user: USER and LOGNAME. */
  userName: string;
  /** The whole file that replaces the image's. `null`: the image's own is good, or cannot be replaced. */
  passwd: Buffer | null;
  group: Buffer | null;
};

/** The user name if the image has none for the run's user. */
export const usualUser = 'runlet';

/** No person writes a larger account file. And the file is copied to the engine once for each of many users. */
export const maxAccountBytes = 64 * 1024;

/** Other names to try if the image uses the usual one for somebody else. */
const maxNames = 100;

/**
 * The name of the run's user in an image: from the image's own entry, or from an entry that is added to the image's. An
 * image may have anything at /etc/passwd: if it is not text, or too large, it is left as it is. Pure.
 * @param home as in HOME
 */
export function accountsFor(
  { uid, gid }: RunUser,
  image: { passwd: Found; group: Found },
  home: string,
): Accounts {
  const passwd = linesOf(image.passwd);
  const group = linesOf(image.group);
  // The C library reads them in the same way: it ignores a line with fewer fields.
  const user = passwd?.find((fields) => fields.length >= 7 && fields[2] === String(uid));
  const ofGroup = group?.some((fields) => fields.length >= 4 && fields[2] === String(gid));
  const name = user?.[0] ?? freeName(passwd);
  return {
    userName: isPlain(name) ? name : usualUser,
    passwd:
      passwd === undefined || user !== undefined
        ? null
        : withLine(image.passwd, `${name}:x:${uid}:${gid}::${homeField(home)}:/bin/sh`),
    group: group === undefined || ofGroup ? null : withLine(image.group, `${freeName(group)}:x:${gid}:`),
  };
}

/** `undefined`: the file cannot be read as lines of fields. */
function linesOf(found: Found): string[][] | undefined {
  if (found === 'absent') return [];
  if (found === 'unusable' || found.length > maxAccountBytes || found.includes(0)) return undefined;
  // Decoded byte by byte, because a name need not be UTF-8.
  return found
    .toString('latin1')
    .split('\n')
    .map((line) => line.split(':'));
}

function freeName(lines: string[][] = []): string {
  const taken = new Set(lines.map(([name]) => name));
  for (let number = 0; number < maxNames; number += 1) {
    const name = number === 0 ? usualUser : `${usualUser}${number}`;
    if (!taken.has(name)) return name;
  }
  return usualUser;
}

const isPlain = (name: string) => /^[!-9;-~]{1,64}$/.test(name);

/** The path, if a field of the file can hold it. */
const homeField = (home: string) => (/^[^:\n\r\0]+$/.test(home) ? home : '/');

function withLine(found: Found, line: string): Buffer {
  const text = typeof found === 'string' ? Buffer.alloc(0) : found;
  const gap = text.length > 0 && text.at(-1) !== 0x0a ? '\n' : '';
  return Buffer.concat([text, Buffer.from(`${gap}${line}\n`)]);
}
