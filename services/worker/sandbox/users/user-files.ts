import type { readAccounts } from '../image/image-accounts.ts';
import type { SandboxFile } from '../spec.ts';
import { accountsFor } from './accounts.ts';
import type { RunUser } from './run-users.ts';

/** By which names a sandbox's user is known in one image. */
export type UserFiles = {
  /** USER and LOGNAME. */
  userName: string;
  /** The image's files that others lie over. */
  covered: string[];
  /** These others. */
  filesFor(user: RunUser): SandboxFile[];
};

/**
 * @param home as in HOME
 * @param example a user that a sandbox may have: all are called alike
 */
export function userFilesOf(
  { passwd, group }: Awaited<ReturnType<typeof readAccounts>>,
  home: string,
  example: RunUser,
): UserFiles {
  const image = { passwd: passwd.found, group: group.found };
  const filesOf = (accounts: ReturnType<typeof accountsFor>): SandboxFile[] => [
    ...(accounts.passwd === null ? [] : [{ name: 'passwd', path: passwd.path, data: accounts.passwd }]),
    ...(accounts.group === null ? [] : [{ name: 'group', path: group.path, data: accounts.group }]),
  ];
  const named = accountsFor(example, image, home);
  return {
    userName: named.userName,
    covered: filesOf(named).map(({ path }) => path),
    filesFor: (user) => filesOf(accountsFor(user, image, home)),
  };
}
