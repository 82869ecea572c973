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
    [{ url: 'ftp://host' }, 'is not valid: give one like http://'],
    [{ url: 'runlet.example.com' }, 'write https://runlet.example.com, or http://runlet.example.com'],
    [{ url: 'http://me:pw@host' }, 'must not hold a password'],
  ])('refuses %j with a sentence that helps', async (value, text) => {
    write(value);
    const ended = await runCli(['config'], { env: env() });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(text);
  });

  it.each([
    ['localhost:8080', 'http://localhost:8080'],
    ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['[::1]:8080/v1', 'http://[::1]:8080'],
    ['https://example.com/runlet/v1/', 'https://example.com/runlet'],
    [' http://me.example:8080/docs ', 'http://me.example:8080'],
  ])('understands the address %j', async (url, understood) => {
    expect(await shown(['--url', url])).toMatchObject({ url: understood });
  });

  it.each([
    [{ apikey: 'x' }, 'has an unknown field apikey: did you mean apiKey?'],
    [{ api_key: 'x' }, 'has an unknown field api_key: did you mean apiKey?'],
    [{ URL: 'x' }, 'has an unknown field URL: did you mean url?'],
    [{ colour: 'x' }, 'has an unknown field colour: it is ignored; there are url and apiKey.'],
  ])('notes of %j that a field is unknown', async (value, text) => {
    write(value);
    const ended = await runCli(['config'], { env: env() });
    expect(ended.code).toBe(0);
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
    [['help', 'nope'], "unknown command 'nope'"],
    [['nope', '--help'], "unknown command 'nope'"],
    [['help', 'rnu'], '(Did you mean run?)'],
    [['webhooks', 'add'], "missing required argument 'url'. See `runlet webhooks add --help`."],
    [['registry', 'login'], 'See `runlet registry login --help`.'],
    [['keys', 'rm'], 'See `runlet keys rm --help`.'],
    [['keys', 'nope'], 'See `runlet keys --help`.'],
    [['config', 'set', 'url', 'http://host'], '`runlet login --url ADDRESS` stores an address and a key.'],
    [['login', 'http://host'], 'The address goes with --url.'],
    [['kill', 'run_1'], "unknown command 'kill'. `runlet cancel RUN` ends a run"],
    [['pyhton'], 'To run code: `runlet run --lang python -c CODE`'],
    [['images', 'rm', 'busybox'], 'images takes no arguments, and got rm, busybox. This command only lists:'],
    [['show', 'a', 'b'], 'show takes 1 argument, and got 2: a, b.'],
    [['completion', 'powershell'], 'powershell: Allowed choices are bash, zsh, fish.'],
    [['run', '--lang'], '--lang needs a value: --lang <language>.'],
    [['registry', 'login', 'host'], '--username <name> is missing.'],
    [['up', '--lang', 'python', 'x'], 'A service runs an image: name one, and send the program with --file'],
    [['up', '--rm', 'nginx'], '--on-idle remove removes it'],
    [['run', '--env-file', '/', 'busybox'], '--env-file / cannot be read: it is a folder'],
    [['main.py'], 'To run a program: `runlet run main.py`.'],
    [['python'], 'To run code: `runlet run --lang python -c CODE`'],
    [['hello-world'], 'To run an image: `runlet run hello-world`.'],
    [
      ['run', '--memory', '64', 'busybox'],
      '--memory 64: The least is 8 MiB. Without a unit it is in bytes. Did you mean 64m?',
    ],
    [['run', '--memory', '1000t', '--cpus', '0', 'busybox'], '--cpus 0: The least is 0.05.'],
    [['run', '--cpus', '10000', 'busybox'], '--cpus 10000: The most is 1024.'],
    [['run', '--timeout', '0s', 'busybox'], '--timeout 0s: The least is 1ms.'],
    [['run', '--timeout', '100h', 'busybox'], '--timeout 100h: The most is 1d.'],
    [['run', '--retries', '100', 'busybox'], '--retries 100: The most is 10.'],
    [['run', '--priority', '500', 'busybox'], '--priority 500: The most is 100.'],
    [['run', '--delay', '8d', 'busybox'], '--delay 8d: The most is 7d.'],
    [
      ['run', '--rm', 'busybox'],
      "unknown option '--rm'. Leave it out: the container of a run is always removed.",
    ],
    [['run', '-p', '80:80', 'nginx'], '`runlet up IMAGE --port 80` starts a service'],
    [['run', '-v', '.:/work', 'busybox'], '--file FOLDER sends files along'],
    [['run', '-e', '=x', 'busybox'], '-e =x: the name is missing'],
    [['run', '-e', 'A B=c', 'busybox'], `-e 'A B=c': the name "A B" has a space in it`],
    [['exec', '-e', '=x', 'web', 'true'], '-e =x: the name is missing'],
    [['run', 'python', '-c', 'print(1)'], '`runlet run --lang python -c CODE`'],
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
    const json = await runCli(['--json', ...args], {
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

  it('has colours where they are asked for, and none where they are not wanted', async () => {
    expect((await runCli(['nope'], { env: { FORCE_COLOR: '1' } })).stderr).toContain('\u001b[31mrunlet:');
    for (const env of [{ FORCE_COLOR: '0' }, { FORCE_COLOR: '' }, { FORCE_COLOR: '1', NO_COLOR: '1' }])
      expect((await runCli(['nope'], { env })).stderr).not.toContain('\u001b');
  });

  it('shows the help of a command, and of a command’s command, either way', async () => {
    for (const args of [['run'], ['webhooks', 'add']]) {
      const asked = await runCli(['help', ...args]);
      expect(asked).toMatchObject({ code: 0, out: (await runCli([...args, '--help'])).out });
      expect(asked.out).toContain(`Usage: runlet ${args.join(' ')} `);
    }
  });

  it('says what a run has where an option is left out', async () => {
    const { out } = await runCli(['run', '--help']);
    const help = out.replace(/\s+/g, ' ');
    for (const usual of ['10s', '256 MiB', '1', '64', '64 MiB', '1 MiB', 'none', 'container', 'missing', '0'])
      expect(help).toContain(`(default: ${usual})`);
  });

  it('knows its version', async () => {
    const { version } = JSON.parse((await runCli(['version', '--json'])).out);
    expect((await runCli(['--version'])).out).toBe(`${version}\n`);
  });
});
