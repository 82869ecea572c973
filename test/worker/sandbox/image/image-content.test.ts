import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { readAccounts } from '../../../../services/worker/sandbox/image/image-accounts.ts';
import {
  checkFits,
  fits,
  type ImageContent,
  maxContentBytes,
  readContent,
} from '../../../../services/worker/sandbox/image/image-content.ts';
import { createSpool } from '../../../../services/worker/sandbox/image/spool.ts';

type Entry = Partial<Header> & { name: string; text?: string };

function tarOf(entries: Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { text = '', ...header } of entries) tar.entry(header, text);
  tar.finalize();
  return buffer(tar);
}

/** An image as an engine shows it: an archive for each path that something lies at. */
function image(archives: Record<string, Entry[] | Buffer>) {
  const asked: string[] = [];
  const read = async (path: string) => {
    asked.push(path);
    const found = archives[path];
    if (found === undefined) return null;
    return Readable.from([Buffer.isBuffer(found) ? found : await tarOf(found)]);
  };
  return { read, asked };
}

const folder = (name: string, mode = 0o755): Entry => ({ name: `${name}/`, type: 'directory', mode });
const mtime = new Date(1_000_000_000_000);

/** What is brought of it, in words, and what was left out. */
async function brought(
  archives: Record<string, Entry[] | Buffer>,
  roots = ['/data'],
  covered: string[] = [],
) {
  const leftOut: string[] = [];
  const content = await readContent({
    read: image(archives).read,
    roots,
    folders: ['/tmp', '/work', ...roots, '/data/inner'],
    covered: new Set(covered),
    openSpool: () => createSpool(tmpdir()),
    onLeftOut: (path) => leftOut.push(path),
  });
  if (content === null) return { content, frames: [], leftOut };
  const data = Buffer.concat(await Array.fromAsync(content.frames.read()));
  await content.frames.close();
  return { content, frames: inWords(data), leftOut };
}

function inWords(data: Buffer): string[] {
  const words: string[] = [];
  for (let at = 0; at < data.length; ) {
    const type = data.toString('latin1', at, at + 1);
    const payload = data.subarray(at + 5, at + 5 + data.readUInt32LE(at + 1));
    at += 5 + payload.length;
    const mode = () => payload.readUInt32LE(0).toString(8);
    if (type === 'M') words.push(`folder ${payload.subarray(4)} ${mode()}`);
    else if (type === 'F') words.push(`file ${payload.subarray(12)} ${mode()} ${payload.readBigUInt64LE(4)}`);
    else if (type === 'T') words.push(`time ${payload.subarray(8)} ${payload.readBigUInt64LE(0)}`);
    else if (type === 'D') words.push(payload.length > 100 ? `data ${payload.length}` : `data ${payload}`);
    else words.push(`${type} ${payload.toString().replaceAll('\0', '|')}`);
  }
  return words;
}

const untimed = (frames: string[]) => frames.filter((one) => !one.startsWith('time'));

describe('of an image’s folder is brought', () => {
  test('all that it holds, a folder that is closed when it has been filled', async () => {
    const { frames, content } = await brought({
      '/data': [
        { ...folder('data', 0o700), mtime },
        { ...folder('data/closed', 0o1555), mtime },
        { name: 'data/closed/file', mode: 0o4644, mtime, text: 'text' },
        { name: 'data/closed/same', type: 'link', linkname: 'data/closed/file', mtime },
        { name: 'data/link', type: 'symlink', linkname: '../etc/x', mtime },
        { name: 'data/empty', mode: 0o2400, mtime, text: '' },
      ],
    });
    const time = 1_000_000_000;
    expect(frames).toEqual([
      'W /data',
      'folder closed 1755',
      'file closed/file 644 4',
      'data text',
      `time closed/file ${time}`,
      'N closed/same|closed/file|',
      'Y link|../etc/x|',
      `time link ${time}`,
      'file empty 400 0',
      `time empty ${time}`,
      'folder closed 1555',
      `time closed ${time}`,
    ]);
    expect(content).toMatchObject({ bytes: 4096, entries: 5, over: null });
  });

  test('nothing, and no file is opened for it, where there is nothing', async () => {
    expect((await brought({})).content).toBeNull();
    expect((await brought({ '/data': [folder('data')] })).content).toBeNull();
  });

  test('what a link in its place leads to, and nothing where it leads nowhere or in circles', async () => {
    const link = (linkname: string): Entry[] => [{ name: 'x', type: 'symlink', linkname }];
    const there = [folder('real'), { name: 'real/file', text: 'x' }];
    const words = async (target: string, more = {}) =>
      untimed((await brought({ '/data': link(target), ...more })).frames);
    expect(await words('srv/../real', { '/real': there })).toEqual(['W /data', 'file file 644 1', 'data x']);
    expect(await words('/real', { '/real': there })).toContain('file file 644 1');
    // The top of an image is its own.
    expect(await words('../../../real', { '/real': there })).toContain('file file 644 1');
    expect(await words('/none')).toEqual([]);
    expect(await words('/data')).toEqual([]);
  });

  test('a large file in frames of their size', async () => {
    const text = 'x'.repeat(200_000);
    const { frames } = await brought({ '/data': [folder('data'), { name: 'data/f', text }] });
    const sizes = frames.filter((one) => one.startsWith('data')).map((one) => Number(one.slice(5)));
    expect(sizes.reduce((sum, one) => sum + one, 0)).toBe(200_000);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(65_536);
  });

  test('nothing over what is mounted into it', async () => {
    const archives = {
      '/etc': [folder('etc'), { name: 'etc/hosts', text: 'x' }, { name: 'etc/hosts.allow', text: 'y' }],
    };
    expect(untimed((await brought(archives, ['/etc'], ['/etc/hosts'])).frames)).toEqual([
      'W /etc',
      'file hosts.allow 644 1',
      'data y',
    ]);
  });

  test('no device, no socket, no pipe, and no name that cannot be made', async () => {
    const { frames, leftOut } = await brought({
      '/data': [
        folder('data'),
        ...(['fifo', 'character-device', 'block-device'] as const).map((type) => ({
          name: `data/${type}`,
          type,
        })),
        { name: 'data/../../etc/passwd', text: 'x' },
        { name: 'data//double', text: 'x' },
        { name: 'data/./dot', text: 'x' },
        { name: 'data/\ufffd', text: 'x' },
        { name: `data/${'long/'.repeat(900)}f`, text: 'x' },
        { name: 'data/to-nothing', type: 'symlink', linkname: '' },
        { name: 'data/of-nothing', type: 'link', linkname: 'data/missing' },
        { name: 'data/outside', type: 'link', linkname: 'data/../../etc/shadow' },
        { name: 'data/kept', text: 'x' },
        // Two file systems, there.
        { name: 'data/inner/kept', type: 'link', linkname: 'data/kept' },
      ],
    });
    expect(untimed(frames)).toEqual(['W /data', 'file kept 644 1', 'data x']);
    expect(leftOut).toHaveLength(12);
  });

  test('what is no archive is an error, and so is one that breaks off', async () => {
    const whole = await tarOf([folder('data'), { name: 'data/f', text: 'x'.repeat(5000) }]);
    await expect(brought({ '/data': Buffer.alloc(2048, 'x') })).rejects.toThrow();
    await expect(brought({ '/data': whole.subarray(0, 3000) })).rejects.toThrow();
  });
});

describe('content fits', () => {
  const GiB = 1024 ** 3;
  const content = async (entries: Entry[]) =>
    (await brought({ '/data': [folder('data'), ...entries] })).content as ImageContent;
  const refusal = (of: ImageContent, diskBytes: number, memoryBytes = GiB) => {
    try {
      checkFits(of, { diskBytes, memoryBytes });
      return undefined;
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return { code, wanted: Number(/Raise it to (\d+)/.exec(message)?.[1]), message };
    }
  };

  test('into a folder of exactly its size in pages', async () => {
    const three = await content(['a', 'b', 'c'].map((name) => ({ name: `data/${name}`, text: 'x' })));
    expect(refusal(three, 3 * 4096)).toBeUndefined();
    expect(refusal(three, 3 * 4096 - 1)).toMatchObject({ code: 'disk_limit', wanted: 3 * 4096 });
    expect(refusal(three, GiB, 1024 * 1024)).toMatchObject({ code: 'start_failed' });
    expect(refusal(three, GiB, 1024 * 1024)?.message).toContain('limits.memoryBytes (1048576)');
    expect(fits(three, { diskBytes: 4096, memoryBytes: GiB })).toBe(false);
  });

  test('each folder that is a file system of its own for itself', async () => {
    const two = await content([
      { name: 'data/outer', text: 'x'.repeat(8192) },
      { name: 'data/inner/f', text: 'x'.repeat(4096) },
    ]);
    expect(two.shares.map(({ path, bytes }) => [path, bytes])).toEqual([
      ['/data', 8192],
      ['/data/inner', 4096],
    ]);
    expect(fits(two, { diskBytes: 8192, memoryBytes: GiB })).toBe(true);
  });

  test('by the number of its files, where they are small and many', async () => {
    const many = await content(Array.from({ length: 2000 }, (_, i) => folder(`data/${i}`)));
    expect(refusal(many, 4 * 1024 * 1024)).toMatchObject({ code: 'disk_limit', wanted: 2001 * 4096 });
    expect(refusal(many, 2001 * 4096)).toBeUndefined();
  });

  test('never, where it is beyond all bounds: and no more of it is read', async () => {
    const head = await tarOf([folder('data'), { name: 'data/f', text: 'x' }]);
    // The header says what follows: a file without end.
    head.write((maxContentBytes + 1).toString(8).padStart(11, '0'), 512 + 124);
    head.write('        ', 512 + 148);
    const sum = head.subarray(512, 1024).reduce((all, byte) => all + byte, 0);
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 512 + 148);
    const { content: large } = await brought({ '/data': head });
    expect(large?.over).toBe(`more than ${maxContentBytes} bytes`);
    expect(refusal(large as ImageContent, 2 ** 40, 2 ** 40)).toMatchObject({ code: 'disk_limit' });
  });
});

describe('the account files of an image', () => {
  const file = (name: string, text: string): Entry => ({ name, text });

  test('come with /etc, at one question', async () => {
    const { read, asked } = image({
      '/etc': [folder('etc'), file('etc/group', 'g'), file('etc/passwd', 'p'), file('etc/zzz', '')],
    });
    const { passwd, group } = await readAccounts(read);
    expect(passwd).toEqual({ found: Buffer.from('p'), path: '/etc/passwd' });
    expect(group).toEqual({ found: Buffer.from('g'), path: '/etc/group' });
    expect(asked).toEqual(['/etc']);
  });

  test('are absent in an image without', async () => {
    for (const archives of [{}, { '/etc': [folder('etc'), file('etc/sub/passwd', 'x')] }]) {
      const { passwd, group } = await readAccounts(image(archives).read);
      expect([passwd.found, group.found]).toEqual(['absent', 'absent']);
    }
  });

  test('are found where links lead, and mounted there', async () => {
    const { read } = image({
      '/etc': [folder('etc'), { name: 'etc/passwd', type: 'symlink', linkname: '../usr/lib/passwd' }],
      '/etc/passwd': [{ name: 'passwd', type: 'symlink', linkname: '../usr/lib/passwd' }],
      '/usr/lib/passwd': [file('passwd', 'p')],
    });
    expect((await readAccounts(read)).passwd).toEqual({ found: Buffer.from('p'), path: '/usr/lib/passwd' });
  });

  test('that lead nowhere, or are beyond all bounds, are left alone', async () => {
    const dangling = { name: 'etc/passwd', type: 'symlink', linkname: '/none' } as const;
    const { read } = image({
      '/etc': [folder('etc'), dangling, file('etc/group', 'x'.repeat(300_000))],
      '/etc/passwd': [{ ...dangling, name: 'passwd' }],
      '/etc/group': [file('group', 'x'.repeat(300_000))],
    });
    const { passwd, group } = await readAccounts(read);
    expect([passwd.found, group.found]).toEqual(['unusable', 'unusable']);
  });

  test('that are no files are said to be none, before an engine opens them', async () => {
    for (const type of ['fifo', 'directory'] as const) {
      const { read } = image({
        '/etc': [folder('etc'), { name: 'etc/passwd', type }],
        '/etc/passwd': [{ name: 'passwd', type }],
      });
      await expect(readAccounts(read)).rejects.toMatchObject({ code: 'start_failed' });
    }
  });
});
