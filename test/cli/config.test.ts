import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { maskKey } from '../../services/cli/config/config.ts';
import { cleanUp, runCli, userFolder } from './support/cli.ts';

let folder: ReturnType<typeof userFolder>;
let file: string;
beforeEach(() => {
  folder = userFolder();
  file = join(folder.path, 'config.json');
});
afterEach(() => folder.remove());
afterAll(cleanUp);

const env = () => ({ RUNLET_CONFIG_DIR: folder.path, RUNLET_API_KEY: undefined });
const write = (value: unknown, mode = 0o600) => {
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  chmodSync(file, mode);
};
const shown = async (args: string[] = [], more = {}) =>
  JSON.parse((await runCli(['config', '--json', ...args], { env: { ...env(), ...more } })).out);

describe('the config', () => {
  it('has a default address and no key', async () => {
    expect(await shown()).toEqual({
      url: 'http://127.0.0.1:8080',
      urlFrom: 'default',
      apiKey: null,
      apiKeyFrom: null,
      file: { path: file, found: false },
    });
  });

  it('takes each value from the nearest source: flag, environment, file', async () => {
    write({ url: 'http://file:1/', apiKey: 'rk_file_0123456789' });
    expect(await shown()).toMatchObject({
      url: 'http://file:1',
      urlFrom: 'file',
      apiKey: 'rk_f…6789',
      apiKeyFrom: 'file',
    });
    const more = { RUNLET_URL: 'https://env:2/base/', RUNLET_API_KEY: 'short' };
    expect(await shown([], more)).toMatchObject({
      url: 'https://env:2/base',
      urlFrom: 'environment',
      apiKey: '****',
    });
    const flags = ['--url', 'http://flag:3', '--api-key', 'rk_flag_0123456789'];
    expect(await shown(flags, more)).toMatchObject({
      url: 'http://flag:3',
      urlFrom: 'flag',
      apiKeyFrom: 'flag',
    });
  });

  it('is found in the XDG config folder too', async () => {
    mkdirSync(join(folder.path, 'runlet'));
    writeFileSync(join(folder.path, 'runlet', 'config.json'), '{"url":"http://xdg:1"}');
    expect(await shown([], { RUNLET_CONFIG_DIR: undefined, XDG_CONFIG_HOME: folder.path })).toMatchObject({
      url: 'http://xdg:1',
    });
  });

  it('warns of a key that others may read, and only when it is used', async () => {
    write({ apiKey: 'rk_file_0123456789' }, 0o644);
    expect((await runCli(['config'], { env: env() })).stderr).toContain(`chmod 600`);
    expect((await runCli(['config'], { env: { ...env(), RUNLET_API_KEY: 'other' } })).stderr).toBe('');
    write({ apiKey: 'rk_file_0123456789' }, 0o600);
    expect((await runCli(['config'], { env: env() })).stderr).toBe('');
  });

  it.each([
    ['{', 'not valid JSON'],
    [{ url: 7 }, '"url" must be a string'],
    [{ url: 'localhost:8080' }, 'is not valid: give one like http://'],
    [{ url: 'http://me:pw@host' }, 'must not hold a password'],
  ])('refuses %j with a sentence that helps', async (value, text) => {
    write(value);
    const ended = await runCli(['config'], { env: env() });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(text);
  });

  it('never shows the whole key', async () => {
    const key = 'rk_0123456789abcdef0123456789';
    const { out } = await runCli(['config'], { env: { ...env(), RUNLET_API_KEY: key } });
    expect(out).toContain(maskKey(key));
    expect(out).not.toContain(key);
    expect(maskKey('tiny')).toBe('****');
  });
});

describe('the command line', () => {
  it.each([
    [['nope'], "unknown command 'nope'"],
    [['run'], 'Name an image or a file to run'],
    [['run', '--timeout', '10', 'busybox'], 'with its unit'],
    [['run', '--network', 'host', 'busybox'], 'Allowed choices are none, egress'],
    [['run', '--metadata', 'x', 'busybox'], 'NAME=VALUE'],
    [['run', '--env-file', '/does/not/exist', 'busybox'], '--env-file /does/not/exist'],
    [['ps', '--status', 'done'], '"done" is no status'],
    [['registry', 'login', 'host', '-u', 'me'], '--password-stdin'],
  ])('%j is refused with exit code 2', async (args, text) => {
    const ended = await runCli(args, { url: 'http://127.0.0.1:9' });
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.stderr).toContain(text);
    const json = await runCli([...args.slice(0, 1), '--json', ...args.slice(1)], {
      url: 'http://127.0.0.1:9',
    });
    expect(JSON.parse(json.stderr)).toMatchObject({
      code: 'usage',
      type: 'https://runlet.dev/problems/usage',
    });
  });

  it('has help with examples for every command', async () => {
    const top = await runCli(['--help']);
    expect(top.code).toBe(0);
    const names = [...top.out.matchAll(/^ {2}([a-z]+) .*/gm)]
      .map(([, name]) => name ?? '')
      .filter((name) => name !== 'help');
    expect(names.length).toBeGreaterThanOrEqual(15);
    const helps = await Promise.all(names.map((name) => runCli([name, '--help'])));
    for (const help of helps) expect(help.out).toMatch(/Examples:\n {2}\$ /);
  });

  it('has no colours where nobody looks', async () => {
    const ended = await runCli(['nope']);
    expect(ended.stderr).not.toContain('\u001b');
  });

  it('knows its version', async () => {
    const { version } = JSON.parse((await runCli(['version', '--json'])).out);
    expect((await runCli(['--version'])).out).toBe(`${version}\n`);
  });
});
