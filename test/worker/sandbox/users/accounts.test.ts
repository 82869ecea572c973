import { describe, expect, test } from 'vitest';
import {
  accountsFor,
  type Found,
  maxAccountBytes,
} from '../../../../services/worker/sandbox/users/accounts.ts';

const user = { uid: 1000, gid: 1000 };
const debian =
  'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n';
const groups = 'root:x:0:\nnogroup:x:65534:\n';

/** What a program reads. `own`: as the image has it. */
function seen(passwd: Found | string, group: Found | string = groups, home = '/work') {
  const found = (text: Found | string): Found =>
    Buffer.isBuffer(text) || text === 'absent' || text === 'unusable' ? (text as Found) : Buffer.from(text);
  const accounts = accountsFor(user, { passwd: found(passwd), group: found(group) }, home);
  return {
    userName: accounts.userName,
    passwd: accounts.passwd?.toString() ?? 'own',
    group: accounts.group?.toString() ?? 'own',
  };
}

describe('in an image', () => {
  const entry = 'runlet:x:1000:1000::/work:/bin/sh\n';

  test('that has no name for the run’s user it is added, and all else stays', () => {
    expect(seen(debian)).toEqual({
      userName: 'runlet',
      passwd: `${debian}${entry}`,
      group: `${groups}runlet:x:1000:\n`,
    });
  });

  test('that has one it is that, and nothing is replaced', () => {
    const node = `${debian}node:x:1000:1000::/home/node:/bin/bash\n`;
    expect(seen(node, `${groups}node:x:1000:\n`)).toEqual({ userName: 'node', passwd: 'own', group: 'own' });
    expect(seen(node)).toEqual({ userName: 'node', passwd: 'own', group: `${groups}runlet:x:1000:\n` });
  });

  test('that has neither file both are made', () => {
    expect(seen('absent', 'absent')).toEqual({
      userName: 'runlet',
      passwd: entry,
      group: 'runlet:x:1000:\n',
    });
    expect(seen('', '').passwd).toBe(entry);
  });

  test('whose file does not end with a newline the entry has a line of its own', () => {
    expect(seen('root:x:0:0::/:/bin/sh').passwd).toBe(`root:x:0:0::/:/bin/sh\n${entry}`);
  });

  test('where the name is somebody else’s it is another', () => {
    const taken = 'runlet:x:7:7::/:/bin/sh\nrunlet1:x:8:8::/:/bin/sh\n';
    expect(seen(taken, 'runlet:x:7:\n')).toEqual({
      userName: 'runlet2',
      passwd: `${taken}runlet2:x:1000:1000::/work:/bin/sh\n`,
      group: 'runlet:x:7:\nrunlet1:x:1000:\n',
    });
  });

  test.each([
    ['a line that the C library skips', 'short:x:1000:1000\n'],
    ['a number that only begins so', 'other:x:10000:1000::/:/bin/sh\n'],
    ['the number in another field', 'other:x:7:1000::/:/bin/sh\n'],
  ])('%s is no entry', (_, line) => {
    expect(seen(line)).toMatchObject({ userName: 'runlet', passwd: `${line}${entry}` });
  });

  test.each<[string, Found]>([
    ['what is no text', Buffer.from('root:x:0:0::/:/bin/sh\n\0')],
    ['what is larger than any', Buffer.alloc(maxAccountBytes + 1, 'a')],
    ['what could not be read', 'unusable'],
  ])('%s is left as it is', (_, found) => {
    expect(seen(found, found)).toEqual({ userName: 'runlet', passwd: 'own', group: 'own' });
  });

  test('bytes that are no UTF-8 stay what they are', () => {
    const latin = Buffer.from('jos\xe9:x:7:7::/:/bin/sh\n', 'latin1');
    const { passwd } = accountsFor(user, { passwd: latin, group: 'absent' }, '/work');
    expect(passwd?.subarray(0, latin.length)).toEqual(latin);
  });

  test('a name that no variable should have is not taken for USER', () => {
    for (const name of ['two words', 'a\u0007b', 'é', 'x'.repeat(65), ''])
      expect(seen(`${name}:x:1000:1000::/:/bin/sh\n`)).toMatchObject({ userName: 'runlet', passwd: 'own' });
  });

  test('the home is that of the run, where a field can hold it', () => {
    expect(seen('absent', 'absent', '/data').passwd).toBe('runlet:x:1000:1000::/data:/bin/sh\n');
    for (const home of ['/a:b', '/a\nroot::0:0::/:/bin/sh'])
      expect(seen('absent', 'absent', home).passwd).toBe('runlet:x:1000:1000::/:/bin/sh\n');
  });
});
