import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../infra/parts/run.ts';
import { type CallingUser, callingUser, configOf } from '../../infra/start/calling-user.ts';
import type { Settings } from '../../infra/start/settings.ts';
import { shareKey } from '../../infra/start/share-key.ts';

const uid = 54_321;
let folder: string;
let user: CallingUser;
let server: Server;
let settings: Settings;
const good = 'rlk_the-users-own-and-good';
const key = { key: 'rlk_roots', isNew: true, file: '/root/.config/runlet/config.json' };
let said: string[] = [];

beforeAll(async () => {
  server = createServer((incoming, outgoing) => {
    outgoing.statusCode = incoming.headers.authorization === `Bearer ${good}` ? 200 : 401;
    outgoing.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  settings = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } as Settings;
});
afterAll(() => void server.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runlet-sudo-'));
  chmodSync(folder, 0o755);
  const home = join(folder, 'home');
  mkdirSync(home, { mode: 0o700 });
  chownSync(home, uid, uid);
  user = { name: 'ana', uid, gid: uid, home };
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const share = () => shareKey(settings, key, user, (line) => said.push(line));
const put = (text: string) => {
  mkdirSync(dirname(configOf(user)), { recursive: true });
  writeFileSync(configOf(user), text);
  for (const path of ['.config', '.config/runlet', '.config/runlet/config.json'])
    chownSync(join(user.home, path), uid, uid);
};
const stored = () => JSON.parse(readFileSync(configOf(user), 'utf8'));

describe('who has called sudo', () => {
  const passwd = `root:x:0:0::/root:/bin/sh\nana:x:${uid}:77::/home/ana:/bin/sh\n`;
  it('is known by the number, from passwd', () => {
    expect(callingUser({ SUDO_UID: String(uid), SUDO_USER: 'root', HOME: '/x' }, 0, passwd)).toEqual({
      name: 'ana',
      uid,
      gid: 77,
      home: '/home/ana',
    });
  });
  it.each([
    [{}, 0],
    [{ SUDO_UID: '0' }, 0],
    [{ SUDO_UID: '-1' }, 0],
    [{ SUDO_UID: '1e3' }, 0],
    [{ SUDO_UID: '999' }, 0],
    [{ SUDO_UID: String(uid) }, 1000],
  ])('%j as user %i is nobody', (env, ours) => {
    expect(callingUser(env, ours, passwd)).toBeUndefined();
  });
});

describe('the key of sudo npm start', () => {
  it('lands in the calling user’s config, theirs, and readable by nobody else', async () => {
    await share();
    expect(stored()).toEqual({ url: settings.url, apiKey: key.key });
    for (const [path, mode] of [
      ['.config/runlet', 0o700],
      ['.config/runlet/config.json', 0o600],
    ] as const) {
      const stat = statSync(join(user.home, path));
      expect([stat.uid, stat.gid, stat.mode & 0o777]).toEqual([uid, uid, mode]);
    }
    expect(said.join()).toContain(configOf(user));
    expect(said.join()).not.toContain(key.key);
  });

  it('leaves what else is there, a key that is good, and a Runlet elsewhere', async () => {
    put(`{"url": "${settings.url}", "apiKey": "rlk_stale", "theme": "dark"}`);
    await share();
    expect(stored()).toEqual({ url: settings.url, apiKey: key.key, theme: 'dark' });
    for (const text of [
      `{"url":"${settings.url}","apiKey":"${good}"}`,
      '{"url":"https://elsewhere","apiKey":"x"}',
      '{',
    ]) {
      put(text);
      await share();
      expect(readFileSync(configOf(user), 'utf8')).toBe(text);
    }
  });

  it('goes nowhere that the user may not go, whatever links are put there', async () => {
    const secret = join(folder, 'roots');
    writeFileSync(secret, '{"apiKey": "rlk_stale", "secret": 1}', { mode: 0o600 });
    mkdirSync(join(folder, 'roots-folder'), { mode: 0o700 });
    // The file is a link to one of root's.
    mkdirSync(dirname(configOf(user)), { recursive: true });
    for (const path of ['.config', '.config/runlet']) chownSync(join(user.home, path), uid, uid);
    symlinkSync(secret, configOf(user));
    await share();
    expect(readFileSync(secret, 'utf8')).toBe('{"apiKey": "rlk_stale", "secret": 1}');
    expect(statSync(secret).uid).toBe(0);
    expect(lstatSync(configOf(user)).isSymbolicLink()).toBe(false);
    expect(stored()).toEqual({ url: settings.url, apiKey: key.key });
    // The folder is.
    rmSync(join(user.home, '.config'), { recursive: true });
    symlinkSync(join(folder, 'roots-folder'), join(user.home, '.config'));
    await share();
    expect(existsSync(join(folder, 'roots-folder', 'runlet'))).toBe(false);
    expect(said.at(-1)).toContain('runlet login');
  });

  it('waits for no pipe', async () => {
    put('');
    rmSync(configOf(user));
    await run('mkfifo', [configOf(user)]);
    chownSync(configOf(user), uid, uid);
    const began = performance.now();
    await share();
    expect(performance.now() - began).toBeLessThan(15_000);
    expect(statSync(configOf(user)).isFile()).toBe(true);
  });
});
