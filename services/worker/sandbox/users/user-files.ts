import type { readAccounts } from '../image/image-accounts.ts';
import type { SandboxFile } from '../spec.ts';
import { accountsFor } from './accounts.ts';
import type { RunUser } from './run-users.ts';

/** The names that a sandbox's user has in one image. */
export type UserFiles = {
  /** USER and LOGNAME. */
  userName: string;
  /** The image's files that are replaced. */
  covered: string[];
  /** The files that replace them. */
  filesFor(user: RunUser): SandboxFile[];
};

/**
 * @param home as in HOME
 * @param example any user that a sandbox may have: all of them get the same name
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
