import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../../infra/parts/run.ts';
import type { ApiKey } from '../../shared/contracts/key.ts';
import { cleanUp, runCli, userFolder } from './support/cli.ts';
import { type Real, startReal } from './support/real.ts';
import { cliWord, isSane, onTerminal } from './support/terminal.ts';

let real: Real;
let folder: ReturnType<typeof userFolder>;
beforeAll(async () => {
  real = await startReal();
});
beforeEach(() => {
  folder = userFolder();
});
afterEach(() => folder.remove());
afterAll(async () => {
  cleanUp();
  await real.stop();
});

const cli = (args: string[], more: { apiKey?: string; stdin?: string; env?: Record<string, string> } = {}) =>
  runCli(args, {
    url: real.url,
    ...(more.stdin !== undefined && { stdin: more.stdin }),
    env: {
      RUNLET_CONFIG_DIR: folder.path,
      ...(more.apiKey !== undefined && { RUNLET_API_KEY: more.apiKey }),
      ...more.env,
    },
  });
const added = async (...args: string[]) => (await cli(['keys', 'add', ...args])).out.trim();
const listed = async () => (JSON.parse((await cli(['keys', 'ls', '--json'])).out) as { data: ApiKey[] }).data;
const member = (name: string) => added(name);

describe('runlet keys', () => {
  it('adds one: the key alone on stdout, the rest on stderr', async () => {
    const ended = await cli(['keys', 'add', 'ci', '--expires', '90d']);
    expect(ended).toMatchObject({ code: 0, out: expect.stringMatching(/^rlk_[\w-]{32}\n$/) });
    expect(ended.stderr).toMatch(/key_[0-9a-f]{32}, member until 20\d\d-.*shown this once/);
    expect(ended.stderr).not.toContain(ended.out.trim());
    expect((await cli(['ps'], { apiKey: ended.out.trim() })).code).toBe(0);
    const made = JSON.parse((await cli(['keys', 'add', 'x', '--role', 'admin', '--json'])).out);
    expect(made).toMatchObject({ name: 'x', role: 'admin', key: expect.stringMatching(/^rlk_/) });
  });

  it('lists them without the keys', async () => {
    const key = await added('for-ls');
    const { out } = await cli(['keys', 'ls']);
    expect(out).toMatch(/^KEY +NAME +ROLE +MADE +USED +EXPIRES\n/);
    expect(out).toMatch(/for-ls +member +\d+s ago +never +never/);
    expect(out).not.toContain(key);
  });

  it('takes one back by its name, or its id', async () => {
    const key = await added('by-name');
    expect(await cli(['keys', 'rm', 'by-name'])).toMatchObject({ code: 0, out: 'by-name\n' });
    expect((await cli(['ps'], { apiKey: key })).stderr).toContain('not known, or was taken back');
    await added('twice');
    await added('twice');
    const two = await cli(['keys', 'rm', 'twice']);
    expect(two.code).toBe(1);
    const ids = (await listed()).filter(({ name }) => name === 'twice').map(({ id }) => id);
    for (const id of ids) expect(two.stderr).toContain(id);
    expect((await cli(['keys', 'rm', ...ids])).code).toBe(0);
    expect((await cli(['keys', 'rm', 'nobody'])).stderr).toContain('runlet keys ls');
  });

  it('says of a member’s key what it takes', async () => {
    const apiKey = await member('small');
    for (const args of [['keys', 'ls'], ['keys', 'add', 'x'], ['workers']]) {
      const ended = await cli(args, { apiKey });
      expect(ended).toMatchObject({ code: 1, out: '' });
      expect(ended.stderr).toContain('`admin`');
    }
    const doctor = await cli(['doctor'], { apiKey });
    expect(doctor.out).toContain('the key is a member’s');
    expect(doctor.out).toContain('The server accepts the key');
  });

  it.each([
    [['keys', 'add', 'x', '--expires', 'soon'], 'like 12h or 90d'],
    [['keys', 'add', 'x', '--expires', '2020-01-01T00:00:00Z'], 'like 12h or 90d'],
    [['keys', 'add', 'x', '--role', 'owner'], 'Allowed choices are admin, member'],
    [['keys', 'add'], 'missing required argument'],
    [['login'], '--key-stdin'],
    [['config', '--env', '--json'], '--env is for the shell'],
  ])('%j is refused with exit code 2', async (args, text) => {
    const ended = await cli(args);
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.stderr).toContain(text);
  });
});

describe('runlet login', () => {
  const file = () => join(folder.path, 'config.json');
  const login = (stdin: string, ...args: string[]) =>
    runCli(['login', '--url', real.url, '--key-stdin', ...args], {
      stdin,
      env: { RUNLET_CONFIG_DIR: folder.path, RUNLET_API_KEY: undefined, RUNLET_URL: undefined },
    });
  const stored = () => JSON.parse(readFileSync(file(), 'utf8'));

  it('stores what the server takes, for its user alone, and says whose it is', async () => {
    writeFileSync(file(), '{"url": "http://other:1", "apiKey": "rlk_old", "theme": "dark"}');
    const apiKey = await member('laptop');
    const ended = await login(`${apiKey}\n`);
    expect(ended.code).toBe(0);
    expect(ended.out).toMatch(/Runlet \d+\.\d+\.\d+, key of a member/);
    expect(`${ended.out}${ended.stderr}`).not.toContain(apiKey);
    expect(stored()).toEqual({ url: real.url, apiKey, theme: 'dark' });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    const json = JSON.parse((await login(await added('a', '--role', 'admin'), '--json')).out);
    expect(json).toMatchObject({ url: real.url, role: 'admin', file: file() });
  });

  it('stores nothing that the server does not take', async () => {
    for (const bad of ['rlk_unknown', '', ' ', 'two words', 'ключ']) {
      const ended = await login(bad);
      expect(ended.code, bad).not.toBe(0);
      expect(ended.out).toBe('');
    }
    expect(() => stored()).toThrow();
    writeFileSync(file(), '{');
    expect((await login('rlk_unknown')).stderr).toContain('not valid JSON');
    expect(readFileSync(file(), 'utf8')).toBe('{');
  });

  it('follows a link to where its user keeps the file', async () => {
    mkdirSync(join(folder.path, 'dotfiles'));
    const kept = join(folder.path, 'dotfiles', 'runlet.json');
    writeFileSync(kept, '{}');
    symlinkSync(kept, file());
    await login(await member('dotfiles'));
    expect(JSON.parse(readFileSync(kept, 'utf8'))).toMatchObject({ url: real.url });
  });

  it('asks on a terminal, shows nothing of what is typed, and leaves it as it was', async () => {
    const apiKey = await member('typed');
    const env = `RUNLET_CONFIG_DIR='${folder.path}' RUNLET_API_KEY=`;
    const terminal = onTerminal(`${env} ${cliWord} login; stty -a`, { url: real.url, apiKey: '' });
    await terminal.shows(`API key for ${real.url}: `);
    terminal.press(`x\u007f${apiKey}\r`);
    expect(await terminal.ended).toBe(0);
    expect(terminal.screen()).not.toContain(apiKey.slice(4));
    expect(isSane(terminal.screen())).toBe(true);
    expect(stored()).toMatchObject({ apiKey });
  });
});

describe('runlet config', () => {
  it('shows the key only when it is asked to', async () => {
    const apiKey = 'rlk_0123456789abcdef';
    expect((await cli(['config'], { apiKey })).out).not.toContain(apiKey);
    expect((await cli(['config', '--show-key'], { apiKey })).out).toContain(apiKey);
    expect(JSON.parse((await cli(['config', '--show-key', '--json'], { apiKey })).out)).toMatchObject({
      apiKey,
    });
  });

  it('prints a line that a shell takes as it is meant', async () => {
    const apiKey = 'it\'s $(touch /tmp/never) `x` "y" \\ z';
    const { out } = await cli(['config', '--env'], { apiKey });
    expect(out.split('\n').length).toBe(2);
    const shell = await run('sh', ['-c', 'eval "$LINE"; printf "%s|%s" "$RUNLET_URL" "$RUNLET_API_KEY"'], {
      env: { PATH: process.env.PATH ?? '', LINE: out },
    });
    expect(shell.stdout).toBe(`${real.url}|${apiKey}`);
  });
});
