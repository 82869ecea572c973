import { describe, expect, test } from 'vitest';
import type { AccountFiles } from '../../../../services/worker/sandbox/drivers/engine/account-files.ts';
import { mountsOf } from '../../../../services/worker/sandbox/drivers/engine/account-mounts.ts';
import type { Found } from '../../../../services/worker/sandbox/users/accounts.ts';
import { batchOf, type Lease } from '../../../../services/worker/sandbox/users/run-users.ts';
import { userFilesOf } from '../../../../services/worker/sandbox/users/user-files.ts';

const block = { first: 1_900_000_000, size: 4_000 };
const user = (number: number) => ({ uid: block.first + number, gid: block.first + number });
const lease = (number: number) => ({ user: user(number), batch: batchOf(block, user(number)) });
const root = Buffer.from('root:x:0:0::/:/bin/sh\n');

/** An image with this passwd; what it asks the engine for is noted. */
function filesOf(passwd: Found, group: Found = 'absent', example = user(0)) {
  const asked: AccountFiles[] = [];
  const accounts = {
    passwd: { found: passwd, path: '/usr/pw' },
    group: { found: group, path: '/etc/group' },
  };
  const provide = async (wanted: AccountFiles) => {
    asked.push(wanted);
    return `/volumes/${wanted.digest}`;
  };
  const files = userFilesOf(accounts, '/work', example);
  const mountsFor = (lease: Pick<Lease, 'user' | 'batch'>) =>
    mountsOf({ files: files.filesFor, lease }, provide);
  return { files: { ...files, mountsFor }, asked };
}

describe('the files that name a sandbox’s user', () => {
  test('come for many users together, and a sandbox has its own mounted over the image’s', async () => {
    const { files, asked } = filesOf(root);
    expect({ name: files.userName, covered: files.covered }).toEqual({
      name: 'runlet',
      covered: ['/usr/pw', '/etc/group'],
    });
    const mounts = await files.mountsFor(lease(70));
    const folder = `/volumes/${asked[0]?.digest}`;
    expect(mounts).toEqual([
      { source: `${folder}/passwd.1900000070`, path: '/usr/pw' },
      { source: `${folder}/group.1900000070`, path: '/etc/group' },
    ]);
    const all = asked[0]?.files() ?? [];
    expect(all).toHaveLength(128);
    expect(all.find(({ name }) => name === 'passwd.1900000127')?.data.toString()).toBe(
      `${root}runlet:x:1900000127:1900000127::/work:/bin/sh\n`,
    );
    expect(all.find(({ name }) => name === 'group.1900000064')?.data.toString()).toBe(
      'runlet:x:1900000064:\n',
    );
  });

  test('are the same for users that come together, and for images that have the same; else others', async () => {
    const { files, asked } = filesOf(root);
    for (const number of [0, 63, 64]) await files.mountsFor(lease(number));
    const again = filesOf(Buffer.from(root));
    await again.files.mountsFor(lease(5));
    const other = filesOf(Buffer.from('root:x:0:0::/root:/bin/sh\n'));
    await other.files.mountsFor(lease(5));
    const digests = [...asked, ...again.asked, ...other.asked].map(({ digest }) => digest);
    const [first, second, third, fourth, fifth] = digests;
    expect([second, fourth]).toEqual([first, first]);
    expect(new Set([first, third, fifth]).size).toBe(3);
  });

  test('are none where the image has a name for the one that all have', async () => {
    const all = { uid: 1000, gid: 1000 };
    const { files, asked } = filesOf(
      Buffer.from('node:x:1000:1000::/home/node:/bin/sh\n'),
      Buffer.from('node:x:1000:\n'),
      all,
    );
    expect(await files.mountsFor({ user: all, batch: [all] })).toEqual([]);
    expect({ asked, name: files.userName, covered: files.covered }).toEqual({
      asked: [],
      name: 'node',
      covered: [],
    });
  });

  test('are none over what is no such file', async () => {
    const { files, asked } = filesOf('unusable', 'unusable');
    expect(await files.mountsFor(lease(1))).toEqual([]);
    expect(asked).toEqual([]);
  });

  test('leave an image that has such a number its own', async () => {
    const { files, asked } = filesOf(Buffer.from('taken:x:1900000001:1::/:/bin/sh\n'), root);
    expect((await files.mountsFor(lease(1))).map(({ path }) => path)).toEqual(['/etc/group']);
    expect((await files.mountsFor(lease(2))).map(({ path }) => path)).toEqual(['/usr/pw', '/etc/group']);
    const names = asked[0]?.files().map(({ name }) => name) ?? [];
    expect(names).not.toContain('passwd.1900000001');
    expect(names).toContain('passwd.1900000002');
  });
});
