import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachMessage } from '../../shared/stores/attach.ts';
import { cleanUp, runCli, startCli, userFolder } from './support/cli.ts';
import { type Real, startReal } from './support/real.ts';
import { testKey } from './support/stub-api.ts';
import { cliMain, cliWord, isSane, onTerminal as onTerminalOf } from './support/terminal.ts';

const text = (message: AttachMessage) => (message.type === 'stdin' ? message.data.toString() : message.type);

let real: Real;
beforeAll(async () => {
  real = await startReal();
});
afterAll(async () => {
  cleanUp();
  await real.stop();
});

describe('runlet run -i', () => {
  it('streams stdin to the program, its output back, and ends as the program does', async () => {
    const cli = startCli(['run', '-i', 'busybox', 'cat'], { url: real.url, stdin: 'one\ntwo\n' });
    const run = await real.nextRun();
    expect(run.request).toMatchObject({ interactive: true, tty: false, command: ['cat'] });
    const holder = await real.worker.start(run.id);
    await real.input(holder, async (message) => {
      if (message.type === 'stdin') await real.worker.append(holder, { type: 'stdout', data: message.data });
      return message.type !== 'eof';
    });
    await real.worker.finish(holder, 'failed', { exitCode: 7 });
    expect(await cli.ended).toMatchObject({ code: 7, out: 'one\ntwo\n', stderr: '' });
  });

  it('passes more than all buffers hold, every byte, no faster than the program takes it', async () => {
    const data = Buffer.alloc(12 * 1024 * 1024, Buffer.from([0, 255, 10, 200, 65]));
    const cli = startCli(['run', '-i', 'busybox', 'wc'], { url: real.url, stdin: data });
    const holder = await real.worker.start((await real.nextRun()).id);
    const pieces: Buffer[] = [];
    await real.input(holder, (message) => {
      if (message.type === 'stdin') pieces.push(message.data);
      return message.type !== 'eof';
    });
    await real.worker.finish(holder);
    expect((await cli.ended).code).toBe(0);
    expect(Buffer.concat(pieces).equals(data)).toBe(true);
  });

  it('shows a run that ends before its stdin, and leaves stdin', async () => {
    const cli = startCli(['run', '-i', '--json', 'busybox', 'true'], { url: real.url, stdin: 'x' });
    await real.worker.perform((await real.nextRun()).id, 'out');
    const ended = await cli.ended;
    expect(ended.code).toBe(0);
    expect(JSON.parse(ended.out)).toMatchObject({ status: 'succeeded', stdout: 'out' });
  });

  it('cancels with Ctrl-C', async () => {
    const cli = startCli(['run', '-i', 'busybox', 'cat'], { url: real.url });
    const run = await real.nextRun();
    const holder = await real.worker.start(run.id);
    await real.worker.out(holder, 'started\n');
    if (cli.child.stdout) await once(cli.child.stdout, 'data');
    cli.child.kill('SIGINT');
    await expect.poll(async () => (await real.on.gateway.runs.read(run.id))?.cancelRequested).toBe(true);
    await real.worker.finish(holder, 'cancelled', { exitCode: null });
    expect((await cli.ended).code).toBe(130);
  });

  it('takes up a connection that was lost, with nothing doubled', async () => {
    const cli = startCli(['run', '-i', 'busybox', 'cat'], { url: real.url, stdin: 'in' });
    const holder = await real.worker.start((await real.nextRun()).id);
    await real.worker.out(holder, 'before\n');
    if (cli.child.stdout) await once(cli.child.stdout, 'data');
    // As a gateway does that stops.
    for (const socket of real.on.sockets) socket.destroy();
    await real.worker.out(holder, 'after\n');
    await real.worker.finish(holder);
    expect(await cli.ended).toMatchObject({ code: 0, out: 'before\nafter\n' });
  });

  it.each([
    [['-t', 'busybox'], '-t needs -i'],
    [['-it', 'busybox'], 'no terminal'],
    [['-i', '--no-stdin', 'busybox'], 'exclude'],
  ])('refuses %j', async (args, reason) => {
    const ended = await runCli(['run', ...args], { url: real.url });
    expect(ended).toMatchObject({ code: 2, out: '' });
    expect(ended.stderr).toContain(reason);
  });
});

const onTerminal = (shell: string) => onTerminalOf(shell, { url: real.url, apiKey: testKey });

describe('runlet run -it', () => {
  it('is the program’s terminal: every key, its size, its end', async () => {
    const terminal = onTerminal(
      `stty rows 30 cols 100; ${cliWord} run -it python:3.11 python; echo "code $?"; stty -a`,
    );
    const run = await real.nextRun();
    expect(run.request).toMatchObject({
      interactive: true,
      tty: true,
      cols: 100,
      rows: 30,
      command: ['python'],
    });
    const holder = await real.worker.start(run.id);
    await real.worker.out(holder, '>>> ');
    await terminal.shows('>>> ');
    // To a full-screen program a line feed is one line down, and no more.
    await real.worker.out(holder, 'down\nfrom here');
    await terminal.shows('down\nfrom here');
    // Ctrl-C, a line, an arrow, Ctrl-D: bytes like others.
    terminal.press('\u0003print(1)\r\u001b[A\u0004');
    const seen: AttachMessage[] = [];
    let typed = '';
    await real.input(holder, (message) => {
      seen.push(message);
      if (message.type === 'stdin') typed += message.data.toString();
      return !typed.includes('\u0004');
    });
    expect(typed).toBe('\u0003print(1)\r\u001b[A\u0004');
    expect(seen[0]).toEqual({ type: 'resize', cols: 100, rows: 30 });
    await real.worker.finish(holder, 'failed', { exitCode: 5 });
    await terminal.shows('code 5');
    await terminal.ended;
    expect(isSane(terminal.screen()), terminal.screen()).toBe(true);
    // Raw: what was typed was not shown by our own terminal.
    expect(terminal.screen()).not.toContain('print(1)');
  });

  it('tells the program of a new size', async () => {
    const folder = userFolder();
    const known = join(folder.path, 'known');
    const resize = `(until [ -e ${known} ]; do sleep 0.1; done; stty rows 50 cols 132 < /dev/tty) &`;
    const terminal = onTerminal(`stty rows 30 cols 100; ${resize} ${cliWord} run -it busybox sh`);
    const holder = await real.worker.start((await real.nextRun()).id);
    const sizes: AttachMessage[] = [];
    await real.input(holder, (message) => {
      sizes.push(message);
      writeFileSync(known, '');
      return message.type !== 'resize' || message.cols !== 132;
    });
    folder.remove();
    expect(sizes[0]).toEqual({ type: 'resize', cols: 100, rows: 30 });
    // stty sets one after the other, and what is between may be seen.
    expect(sizes.at(-1)).toEqual({ type: 'resize', cols: 132, rows: 50 });
    await real.worker.finish(holder);
    expect(await terminal.ended).toBe(0);
  });

  it('gives the terminal back when it is ended by a signal, and cancels the run', async () => {
    const terminal = onTerminal(`${cliWord} run -it busybox sh; echo "code $?"; stty -a`);
    const run = await real.nextRun();
    const holder = await real.worker.start(run.id);
    await real.worker.out(holder, 'ready$ ');
    await terminal.shows('ready$ ');
    const [pid] = (await pids(cliMain)).slice(-1);
    if (pid === undefined) throw new Error('the CLI does not run');
    process.kill(pid, 'SIGTERM');
    await expect.poll(async () => (await real.on.gateway.runs.read(run.id))?.cancelRequested).toBe(true);
    await real.worker.finish(holder, 'cancelled', { exitCode: null });
    await terminal.shows('code 130');
    await terminal.ended;
    expect(isSane(terminal.screen()), terminal.screen()).toBe(true);
  });

  it('leaves Ctrl-C to the user while the program is not there yet', async () => {
    const terminal = onTerminal(`trap : INT; ${cliWord} run -it busybox sh; echo "code $?"`);
    const run = await real.nextRun();
    await expect.poll(() => real.on.sockets.size).toBeGreaterThan(0);
    terminal.press('\u0003');
    await terminal.shows('code 130');
    await terminal.ended;
    expect((await real.on.gateway.runs.read(run.id))?.status).toBe('cancelled');
  });
});

describe('runlet attach', () => {
  it('talks to a run that was left to itself', async () => {
    const detached = await runCli(['run', '-d', '-i', 'busybox', 'cat'], { url: real.url });
    const id = detached.out.trim();
    expect((await real.nextRun()).id).toBe(id);
    const attached = startCli(['attach', id], { url: real.url, stdin: 'hello' });
    const holder = await real.worker.start(id);
    let got = '';
    await real.input(holder, (message) => {
      got += text(message);
      return message.type !== 'eof';
    });
    expect(got).toBe('helloeof');
    await real.worker.out(holder, 'back');
    await real.worker.finish(holder, 'failed', { exitCode: 9 });
    expect(await attached.ended).toMatchObject({ code: 9, out: 'back' });
  });

  it('refuses a run that nobody can talk to', async () => {
    const { out } = await runCli(['run', '-d', 'busybox'], { url: real.url });
    await real.nextRun();
    const ended = await runCli(['attach', out.trim()], { url: real.url });
    expect(ended).toMatchObject({ code: 2 });
    expect(ended.stderr).toContain('runlet logs -f');
  });
});

/** Processes whose command line names this file. */
async function pids(file: string): Promise<number[]> {
  const child = spawn('pgrep', ['-f', `${file} run -it`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await once(child, 'close');
  return out.split('\n').filter(Boolean).map(Number);
}
