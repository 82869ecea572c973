import type { RunUser } from './run-users.ts';

/** A file of an image: its bytes; absent; or what cannot be taken for a file of this kind (a folder, too large, binary). */
export type Found = Buffer | 'absent' | 'unusable';

export type Accounts = {
  /** What the run's user is called: USER and LOGNAME. */
  userName: string;
  /** The whole file to be in the place of the image's; `null`: the image's own does, or cannot be replaced. */
  passwd: Buffer | null;
  group: Buffer | null;
};

/** Where the image has no name for the run's user. */
export const usualUser = 'runlet';

/** An account file with more is no person's work, and is copied to the engine once for each of many users. */
export const maxAccountBytes = 64 * 1024;

/** Other names where an image has the usual one for somebody else. */
const maxNames = 100;

/**
 * How the run's user is known in an image: by the image's own entry, or by one that is added to what the image has. An image may have
 * anything at /etc/passwd: what is no text of a bounded size is left as it is. Pure.
 * @param home as in HOME
 */
export function accountsFor(
  { uid, gid }: RunUser,
  image: { passwd: Found; group: Found },
  home: string,
): Accounts {
  const passwd = linesOf(image.passwd);
  const group = linesOf(image.group);
  // As the C library reads them: a line with fewer fields is none.
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

/** `undefined`: it cannot be read as lines of fields. */
function linesOf(found: Found): string[][] | undefined {
  if (found === 'absent') return [];
  if (found === 'unusable' || found.length > maxAccountBytes || found.includes(0)) return undefined;
  // Byte by byte: a name need not be UTF-8.
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

/** A path that a field can hold. */
const homeField = (home: string) => (/^[^:\n\r\0]+$/.test(home) ? home : '/');

function withLine(found: Found, line: string): Buffer {
  const text = typeof found === 'string' ? Buffer.alloc(0) : found;
  const gap = text.length > 0 && text.at(-1) !== 0x0a ? '\n' : '';
  return Buffer.concat([text, Buffer.from(`${gap}${line}\n`)]);
}
