import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
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
import { cliWord, isSane, onTerminal } from './support/terminal.ts';

const lab = inject('lab');
const folder = userFolder();
let live: Live;

beforeAll(async () => {
  live = await startLive(lab, ['nginx:1.22']);
  await live.cli(['up', 'nginx:1.22', '--name', 'web', '--port', '80', '--keep', 'forever']);
}, 600_000);
afterAll(async () => {
  folder.remove();
  await live?.stop();
});

const at = (name: string) => join(folder.path, name);

describe('runlet logs', () => {
  const talker = (name: string, script: string, ...more: string[]) =>
    live.cli(['up', 'busybox', '--name', name, '--quiet', ...more, '--', 'sh', '-c', script]);

  it('shows what was written, each stream to its own, and the last lines of it', async () => {
    await talker(
      'talker',
      'echo one; echo two >&2; echo three; trap "exit 0" TERM; while :; do sleep 0.1; done',
    );
    // Ready is when it runs; what it writes comes after.
    await vi.waitFor(
      async () =>
        expect(await live.cli(['logs', 'talker'])).toMatchObject({
          code: 0,
          out: 'one\nthree\n',
          stderr: 'two\n',
        }),
      { timeout: 60_000 },
    );
    // The engine promises no order between the two streams.
    const last = await live.cli(['logs', '-n', '1', 'talker']);
    expect(last.out + last.stderr).toMatch(/^(two|three)\n$/);
    const lines = (await live.cli(['logs', '--json', 'talker'])).out.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line)).sort((a, b) => (a.type < b.type ? -1 : 1))).toMatchObject([
      { type: 'stderr', data: 'two\n' },
      { type: 'stdout', data: 'one\n' },
      { type: 'stdout', data: 'three\n' },
    ]);
    await live.cli(['rm', 'talker']);
  });

  it('-f goes on until the program ends', async () => {
    await talker(
      'teller',
      'echo begin; until [ -e /go ]; do sleep 0.1; done; echo end',
      ...['--restart', 'never'],
    );
    const cli = live.start(['logs', '-f', 'teller']);
    let seen = '';
    cli.child.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await vi.waitFor(() => expect(seen).toContain('begin'), { timeout: 60_000 });
    await live.cli(['exec', 'teller', 'touch', '/go']);
    const ended = await cli.ended;
    expect(ended).toMatchObject({ code: 0, out: 'begin\nend\n', stderr: '' });
    await live.cli(['rm', 'teller']);
  });

  it('says that there is none where nothing has run', async () => {
    await live.cli(['up', 'no-such-image-here', '--name', 'never']);
    const ended = await live.cli(['logs', 'never']);
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(ended.stderr).toContain('no container');
    await live.cli(['rm', 'never']);
  });
});

describe('runlet exec', () => {
  it('passes on stdin, both streams and the exit code', async () => {
    const script = 'cat; echo err >&2; exit 7';
    const ended = await live.cli(['exec', 'web', '--', 'sh', '-c', script], { stdin: 'in\n' });
    expect(ended).toMatchObject({ code: 7, out: 'in\n', stderr: 'err\n' });
    expect(await live.cli(['exec', 'web', 'sh', '-c', 'kill -KILL $$'])).toMatchObject({ code: 137 });
    expect(await live.cli(['exec', 'web', 'true'])).toMatchObject({ code: 0, out: '', stderr: '' });
  });

  it('streams with -i, every byte', async () => {
    const data = randomBytes(3_000_000);
    const ended = await live.cli(['exec', '-i', '--output-limit', '4m', 'web', 'cat'], { stdin: data });
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout.equals(data)).toBe(true);
    const cut = await live.cli(['exec', '-i', 'web', 'cat'], { stdin: data });
    expect(cut.code).toBe(1);
    expect(cut.stderr).toContain('--output-limit sets it');
  });

  it('starts where it is told, with the variables that it is given', async () => {
    const args = ['exec', '-e', 'A=b', '-e', 'OWN', '-e', 'UNSET_ANYWHERE', '-w', '/etc/nginx', 'web'];
    const ended = await live.cli([...args, 'sh', '-c', 'pwd; echo $A $OWN'], { env: { OWN: 'own' } });
    expect(ended).toMatchObject({ code: 0, out: '/etc/nginx\nb own\n' });
    expect(ended.stderr).toContain('UNSET_ANYWHERE: it is not set here');
  });

  it('ends at its time limit, and tells its own failures from the program’s', async () => {
    expect(await live.cli(['exec', '--timeout', '500ms', 'web', 'sleep', '60'])).toMatchObject({ code: 124 });
    const none = await live.cli(['exec', 'web', 'no-such-program']);
    expect(none.code).toBe(127);
    expect(none.stderr).toContain('"no-such-program" does not exist');
    expect((await live.cli(['exec', 'nobody', 'true'])).code).toBe(125);
    await live.cli(['up', 'busybox', '--name', 'down', '--restart', 'never', '--quiet', '--', 'true']);
    await vi.waitFor(async () => expect((await live.cli(['services', 'down'])).out).toContain('stopped'), {
      timeout: 60_000,
    });
    const stopped = await live.cli(['exec', 'down', 'true']);
    expect(stopped.code).toBe(125);
    expect(stopped.stderr).toContain('down is stopped: `runlet start down` starts it.');
    const copied = await live.cli(['cp', 'down:/etc/hostname', '-']);
    expect(copied).toMatchObject({ code: 1, out: '' });
    expect(copied.stderr).toContain('`runlet start down` starts it.');
    await live.cli(['rm', 'down']);
    expect(await live.cli(['exec', '-t', 'web', 'sh'])).toMatchObject({ code: 2 });
    expect(await live.cli(['exec', '-it', 'web', 'sh'])).toMatchObject({ code: 2 });
  });

  it('-d leaves it to itself, and --list shows it', async () => {
    const script = 'echo "$A from a job" > /proc/1/fd/1; exec sleep 1234';
    const args = ['exec', '-d', '-e', 'A=b', '-w', '/etc', 'web', '--', 'sh', '-c', script];
    const started = await live.cli(args, { stdin: 'not asked for' });
    expect(started).toMatchObject({ code: 0, out: expect.stringMatching(/^run_\S+\n$/), stderr: '' });
    await vi.waitFor(async () => expect((await live.cli(['logs', 'web'])).out).toContain('b from a job'), {
      timeout: 60_000,
    });
    const listed = await live.cli(['exec', '--list', 'web']);
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.out).toMatch(/^RUN +STATUS +EXIT +PID +DETACHED +AGE +COMMAND$/m);
    expect(listed.out).toMatch(
      new RegExp(`^${started.out.trim()} +running +- +\\d+ +yes .* sh -c echo`, 'm'),
    );
    const json = JSON.parse((await live.cli(['exec', '--list', '--json', 'web'])).out);
    expect(json).toMatchObject({ data: [{ id: started.out.trim(), status: 'running', detached: true }] });
    await live.cli(['exec', 'web', 'sh', '-c', `kill ${json.data[0].pid}`]);
    await vi.waitFor(
      async () => expect((await live.cli(['exec', '--list', 'web'])).out).toMatch(/ exited +143 /),
      { timeout: 60_000 },
    );
    const none = await live.cli(['exec', '-d', 'web', 'no-such-program']);
    expect(none.code).toBe(127);
    expect(none.stderr).toContain('"no-such-program" does not exist');
    for (const bad of [
      ['exec', '-d', '-i', 'web', 'cat'],
      ['exec', '-d', '--timeout', '1s', 'web', 'cat'],
      ['exec', '--list', 'web', 'cat'],
      ['exec', 'web'],
    ])
      expect(await live.cli(bad)).toMatchObject({ code: 2 });
  });

  it('-it is the program’s terminal', async () => {
    const terminal = onTerminal(
      `stty rows 30 cols 100; ${cliWord} exec -it web sh -c 'stty size; exec sh'; echo "code $?"; stty -a`,
      live.runlet,
    );
    await terminal.shows('# ');
    expect(terminal.screen()).toMatch(/^30 100\r?\n/m);
    // What is typed comes back from the program's terminal, not from ours: once.
    terminal.press('tty; stty size; echo "su""m $((40 + 2))"\r');
    await terminal.shows('30 100');
    await terminal.shows('sum 42');
    expect(terminal.screen()).toContain('/dev/pts/');
    // Ctrl-C ends what runs in it, and not the shell.
    terminal.press('echo "wait""ing"; sleep 1000\r');
    await terminal.shows('waiting');
    terminal.press('\u0003');
    // A terminal forgets with Ctrl-C what was typed and not read.
    await vi.waitFor(() => expect(terminal.screen()).toMatch(/waiting\s.*# $/s), { timeout: 60_000 });
    terminal.press('echo "st""ill here"; exit 5\r');
    await terminal.shows('still here');
    await terminal.shows('code 5');
    await terminal.ended;
    expect(isSane(terminal.screen()), terminal.screen()).toBe(true);
    expect(terminal.screen().split('sum 42')).toHaveLength(2);
  });
});

describe('runlet cp', () => {
  it('copies in and out, bit for bit', async () => {
    const data = randomBytes(1_000_000);
    writeFileSync(at('data.bin'), data);
    expect(await live.cli(['cp', at('data.bin'), 'web:/srv/deep/in.bin'])).toMatchObject({
      code: 0,
      out: '',
      stderr: '',
    });
    expect(await live.cli(['cp', 'web:/srv/deep/in.bin', at('out.bin')])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(readFileSync(at('out.bin')).equals(data)).toBe(true);
    // To a folder it goes by its own name; "-" is a stream.
    await live.cli(['cp', 'web:/srv/deep/in.bin', folder.path]);
    expect(readFileSync(at('in.bin')).equals(data)).toBe(true);
    await live.cli(['cp', at('data.bin'), 'web:/srv/other/']);
    expect((await live.cli(['cp', 'web:/srv/other/data.bin', '-'])).stdout.equals(data)).toBe(true);
    await live.cli(['cp', '-', 'web:/srv/empty'], { stdin: '' });
    const empty = await live.cli(['cp', 'web:/srv/empty', at('empty'), '--json']);
    expect([JSON.parse(empty.out), statSync(at('empty')).size]).toEqual([
      { service: 'web', path: at('empty') },
      0,
    ]);
  });

  it('puts a file below a folder that is there', async () => {
    writeFileSync(at('motto'), 'festina lente');
    expect(await live.cli(['cp', at('motto'), 'web:/srv'])).toMatchObject({ code: 0, stderr: '' });
    expect(await live.cli(['cp', at('motto'), 'web:/'])).toMatchObject({ code: 0, stderr: '' });
    expect((await live.cli(['exec', 'web', 'cat', '/srv/motto', '/motto'])).out).toBe(
      'festina lente'.repeat(2),
    );
  });

  it('leaves what is there as it was when the copy fails, and writes through a link', async () => {
    writeFileSync(at('kept'), 'before');
    chmodSync(at('kept'), 0o600);
    const missing = await live.cli(['cp', 'web:/no/such/file', at('kept')]);
    expect(missing).toMatchObject({ code: 1, out: '' });
    expect(missing.stderr).toContain('/no/such/file');
    expect(readFileSync(at('kept'), 'utf8')).toBe('before');
    symlinkSync(at('kept'), at('link'));
    await live.cli(['cp', '-', 'web:/srv/after'], { stdin: 'after' });
    expect(await live.cli(['cp', 'web:/srv/after', at('link')])).toMatchObject({ code: 0 });
    expect([readFileSync(at('kept'), 'utf8'), statSync(at('kept')).mode & 0o777]).toEqual(['after', 0o600]);
    expect(readdirSync(folder.path).filter((name) => name.startsWith('.runlet'))).toEqual([]);
  });

  it('says what it cannot do', async () => {
    for (const args of [
      [at('data.bin'), at('other')],
      ['web:/a', 'web:/b'],
      [at('nothing-here'), 'web:/a'],
      ['web:/srv/after', at('no/folder/here')],
    ])
      expect((await live.cli(['cp', ...args])).code, args.join(' ')).toBe(2);
    expect(existsSync(at('other'))).toBe(false);
    const root = await live.cli(['cp', 'web:/', at('root')]);
    expect(root).toMatchObject({ code: 2, out: '' });
    expect(await live.cli(['cp', 'web:/etc/nginx', '-'])).toMatchObject({ code: 2, out: '' });
    const climbing = await live.cli(['cp', 'web:/../etc/passwd', '-']);
    expect(climbing.code).toBe(1);
  });
});
