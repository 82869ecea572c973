import { createHash } from 'node:crypto';
import type { FileMount } from '../../engine/containers.ts';
import type { readAccounts } from '../image/image-accounts.ts';
import type { AccountFiles } from './account-files.ts';
import { accountsFor } from './accounts.ts';
import type { Lease } from './run-users.ts';
import type { RunUser } from './user.ts';

/** By which names a sandbox's user is known in one image. */
export type UserFiles = {
  /** USER and LOGNAME. */
  userName: string;
  /** The image's files that others lie over. */
  covered: string[];
  /** These others, on the engine. With `anew` they are brought there also where they were before. */
  mountsFor(lease: Pick<Lease, 'user' | 'batch'>, anew?: boolean): Promise<FileMount[]>;
};

/**
 * Each sandbox has a user of its own, so each has a passwd and a group of its own: to make them costs the engine about as much as a sandbox. So they
 * come to it for many users at a time, and a sandbox has the two mounted that are its user's.
 *
 * @param home as in HOME
 * @param example a user that a sandbox may have: all are called alike
 */
export function userFilesOf(
  { passwd, group }: Awaited<ReturnType<typeof readAccounts>>,
  home: string,
  example: RunUser,
  provide: (wanted: AccountFiles, anew?: boolean) => Promise<string>,
): UserFiles {
  const image = { passwd: passwd.found, group: group.found };
  const pathsOf = (accounts: ReturnType<typeof accountsFor>) => [
    ...(accounts.passwd === null ? [] : [{ name: 'passwd', path: passwd.path, data: accounts.passwd }]),
    ...(accounts.group === null ? [] : [{ name: 'group', path: group.path, data: accounts.group }]),
  ];
  const filesFor = (user: RunUser) => pathsOf(accountsFor(user, image, home));
  const named = accountsFor(example, image, home);

  return {
    userName: named.userName,
    covered: pathsOf(named).map(({ path }) => path),
    async mountsFor({ user, batch }, anew) {
      const own = filesFor(user);
      if (own.length === 0) return [];
      const [first = user] = batch;
      const files = filesFor(first);
      const hash = createHash('sha256').update(`${first.uid} ${batch.length}\n`);
      for (const { name, data } of files) hash.update(`${name} ${data.length}\n`).update(data);
      const wanted = {
        digest: hash.digest('hex').slice(0, 16),
        files: () =>
          batch.flatMap((one) =>
            filesFor(one).map(({ name, data }) => ({ name: `${name}.${one.uid}`, data })),
          ),
      };
      const folder = await provide(wanted, anew);
      return own.map(({ name, path }) => ({ source: `${folder}/${name}.${user.uid}`, path }));
    },
  };
}
