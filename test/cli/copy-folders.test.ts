import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { userFolder } from './support/cli.ts';
import { type Live, startLive } from './support/live.ts';

const lab = inject('lab');
const folder = userFolder();
const data = randomBytes(200_000);
let live: Live;

/** Does nothing, and is ready at once or when somebody says so. */
const idler = (until = 'true') => [
  'sh',
  '-c',
  `until ${until}; do sleep 0.1; done; httpd -p 80; trap "exit 0" TERM; while :; do sleep 0.1; done`,
];
const box = (name: string, ...more: string[]) => ['up', 'busybox', '--name', name, '--quiet', ...more];

const at = (...path: string[]) => join(folder.path, ...path);

beforeAll(async () => {
  mkdirSync(at('site', 'deep', 'er'), { recursive: true });
  mkdirSync(at('site', 'empty'));
  writeFileSync(at('site', 'index.html'), 'hello');
  writeFileSync(at('site', 'deep', 'er', 'a file'), data);
  writeFileSync(at('site', 'run.sh'), '#!/bin/sh\necho ran\n');
  chmodSync(at('site', 'run.sh'), 0o755);
  symlinkSync('/etc/passwd', at('site', 'link'));
  live = await startLive(lab, []);
  await live.cli([...box('box', '--keep', 'forever'), '--', ...idler()]);
}, 600_000);
afterAll(async () => {
  folder.remove();
  await live?.stop();
});

const tree = async (path: string) =>
  (await live.cli(['exec', 'box', 'sh', '-c', `cd ${path} && find . | sort`])).out.trim().split('\n');
const whole = ['.', './deep', './deep/er', './deep/er/a file', './empty', './index.html', './run.sh'];

describe('runlet cp of a folder', () => {
  it('goes to a path with all that is in it, but links, and comes back the same', async () => {
    const there = await live.cli(['cp', at('site'), 'box:/srv/site']);
    expect(there).toMatchObject({ code: 0, out: '' });
    expect(there.stderr).toBe(`runlet: ${at('site', 'link')} is no regular file: it is not sent.\n`);
    expect(await tree('/srv/site')).toEqual(whole);
    expect((await live.cli(['exec', 'box', '/srv/site/run.sh'])).out).toBe('ran\n');

    const back = await live.cli(['cp', 'box:/srv/site', at('back'), '--json']);
    expect(back).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(back.out)).toEqual({
      service: 'box',
      path: at('back'),
      files: 3,
      sizeBytes: data.length + 5 + 19,
    });
    expect(readdirSync(at('back')).sort()).toEqual(['deep', 'empty', 'index.html', 'run.sh']);
    expect(readFileSync(at('back', 'deep', 'er', 'a file')).equals(data)).toBe(true);
    expect(statSync(at('back', 'run.sh')).mode & 0o111).toBe(0o111);
    expect(statSync(at('back', 'index.html')).mode & 0o111).toBe(0);
  });

  it('comes back without its links, and says so', async () => {
    const make = 'mkdir -p /srv/l; echo x > /srv/l/file; ln -s /etc/passwd /srv/l/a; ln -s file /srv/l/b';
    await live.cli(['exec', 'box', 'sh', '-c', make]);
    const back = await live.cli(['cp', 'box:/srv/l', at('links')]);
    expect(back).toMatchObject({ code: 0, out: '' });
    expect(back.stderr).toMatch(
      /^runlet: Left out, as only files and folders are copied: [ab] and 1 more\.$/m,
    );
    expect(readdirSync(at('links'))).toEqual(['file']);
  });

  it('goes below a folder that is there, and what is in it right into it', async () => {
    await live.cli(['exec', 'box', 'mkdir', '-p', '/srv/there']);
    expect(await live.cli(['cp', '-q', at('site'), 'box:/srv/there'])).toMatchObject({ code: 0, stderr: '' });
    expect(await tree('/srv/there/site')).toEqual(whole);
    expect(await live.cli(['cp', '-q', `${at('site')}/.`, 'box:/srv/there'])).toMatchObject({ code: 0 });
    expect(await tree('/srv/there')).toEqual(expect.arrayContaining(whole));
    mkdirSync(at('taken'));
    expect(await live.cli(['cp', 'box:/srv/there/site', at('taken')])).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(at('taken', 'site', 'index.html'), 'utf8')).toBe('hello');
  });

  it('waits for a service that is starting or idle', async () => {
    await live.cli([...box('late', '--port', '80', '-d'), '--', ...idler('[ -e /tmp/go ]')]);
    const early = live.start(['cp', at('site', 'index.html'), 'late:/tmp/index.html']);
    await vi.waitFor(() => expect(early.stderrSoFar()).toContain('late is starting: waiting'), {
      timeout: 60_000,
    });
    const { id } = await live.service('late');
    await live.inContainer(id, 'touch', '/tmp/go');
    expect(await early.ended).toMatchObject({ code: 0, out: '' });
    expect((await live.cli(['exec', 'late', 'cat', '/tmp/index.html'])).out).toBe('hello');
    await live.cli(['rm', 'late']);

    await live.cli([...box('dozing', '--keep', '1s'), '--', ...idler()]);
    await vi.waitFor(async () => expect((await live.service('dozing')).status).toBe('idle'), {
      timeout: 60_000,
    });
    expect(await live.cli(['cp', 'dozing:/etc/passwd', '-'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('root'),
      stderr: expect.stringContaining('dozing is idle: waiting'),
    });
    await live.cli(['rm', 'dozing']);
  });
});
