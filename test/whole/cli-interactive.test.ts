import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { ensureLoaded } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

const lab = inject('lab');
const wrapper = new URL('../../infra/bin/runlet', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'runlet-e2e-'));
let runlet: Runlet;

// Time for a machine that has not built Python's image yet.
const buildingMs = 600_000;

beforeAll(async () => {
  await ensureLoaded(lab, 'python');
  runlet = await startRunlet(lab);
}, buildingMs);
afterAll(async () => {
  await runlet.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command line in a shell, where `runlet` is ours. With `tty` it runs on a terminal. */
function shell(line: string, options: { tty?: boolean; stdin?: Uint8Array | string } = {}) {
  const [program, args] = options.tty ? ['script', ['-qfec', line, '/dev/null']] : ['sh', ['-c', line]];
  const child = spawn(program as string, args as string[], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PATH: `${join(wrapper, '..')}:${process.env.PATH}`,
      RUNLET_URL: runlet.url,
      RUNLET_API_KEY: runlet.apiKey,
      SHELL: '/bin/sh',
      TERM: 'xterm',
      NO_COLOR: '1',
    },
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => {});
  if (options.stdin !== undefined) child.stdin.end(options.stdin);
  const screen = () => Buffer.concat(stdout).toString();
  return {
    press: (keys: string) => child.stdin.write(keys),
    shows: (part: string | RegExp) => vi.waitFor(() => expect(screen()).toMatch(part), { timeout: 60_000 }),
    ended: once(child, 'close').then(([code]) => ({
      code: code as number,
      out: Buffer.concat(stdout),
      stderr,
    })),
  };
}

test('a pipe through a program, larger than every buffer on the way', async () => {
  const data = randomBytes(6_000_000);
  const { ended } = shell('runlet run -i --output-limit 16m --timeout 60s busybox cat', { stdin: data });
  const { code, out, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(createHash('sha256').update(out).digest('hex')).toBe(
    createHash('sha256').update(data).digest('hex'),
  );
});

test('a shell on a terminal: its size, Ctrl-C, the exit code', async () => {
  const terminal = shell('stty rows 33 cols 101; runlet run -it busybox sh; echo "code $?"', { tty: true });
  await terminal.shows(/[$#] /);
  terminal.press('stty size\r');
  await terminal.shows('33 101');
  terminal.press('sleep 300; echo "after $?"\r');
  await sleep(500);
  terminal.press('\u0003');
  terminal.press('echo still "here"\r');
  await terminal.shows('still here');
  terminal.press('exit 7\r');
  await terminal.shows('code 7');
  expect((await terminal.ended).code).toBe(0);
});

test('a Python REPL: an answer, Ctrl-C, Ctrl-D', async () => {
  const terminal = shell('runlet run -it python:3.11-slim-bookworm python; echo "code $?"', { tty: true });
  await terminal.shows('>>> ');
  terminal.press('1+1\r');
  // First what was typed, then perhaps a control sequence of the line editor, then the answer.
  await terminal.shows(/>>> 1\+1\r+\n(?:.*\r)?2\r+\n/);
  // All this is one statement, so that Ctrl-C comes while it runs and not before.
  terminal.press("exec(\"print('go' + 'ing')\\nwhile True: pass\")\r");
  await terminal.shows('going');
  terminal.press('\u0003');
  await terminal.shows(/File "<string>", line \d, in <module>\r*\n.*KeyboardInterrupt\r*\n.*>>> $/);
  terminal.press('"still " + "here"\r');
  await terminal.shows("'still here'");
  terminal.press('\u0004');
  await terminal.shows('code 0');
  await terminal.ended;
});

test('a session that nobody ends does not outlive its time limit', async () => {
  const terminal = shell('runlet run -it --timeout 3s busybox sh; echo "code $?"', { tty: true });
  await terminal.shows(/[$#] /);
  await terminal.shows('code 124');
  await terminal.ended;
});

test('files in, artifacts out', async () => {
  writeFileSync(join(folder, 'in.txt'), 'some words');
  const { ended } = shell(
    'runlet run -q --workdir /work --file in.txt --artifact "out/*" -o got busybox -- sh -c "mkdir out; wc -w < in.txt > out/count"',
  );
  expect(await ended).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, 'got/out/count'), 'utf8').trim()).toBe('2');
});

test('each input is a run of its own', async () => {
  for (const name of ['1', '2']) writeFileSync(join(folder, name), `input ${name}`);
  const { ended } = shell('runlet run --input 1 --input 2 busybox cat');
  const { code, out, stderr } = await ended;
  expect({ code, out: out.toString() }).toEqual({ code: 0, out: 'input 1input 2' });
  expect(stderr).toMatch(/run\[0\]: succeeded, .*\n.*run\[1\]: succeeded/);
});
