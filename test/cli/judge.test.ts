import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Step } from '../../shared/contracts/run.ts';
import { cleanUp, runCli, userFolder } from './support/cli.ts';
import { StubApi } from './support/stub-api.ts';
import { exit, status } from './support/stub-runs.ts';

let api: StubApi;
let folder: ReturnType<typeof userFolder>;
beforeEach(async () => {
  api = await new StubApi().start();
  folder = userFolder();
  put({ 'main.cpp': 'int main() {}' });
});
afterEach(async () => {
  await api.stop();
  folder.remove();
});
afterAll(cleanUp);

function put(files: Record<string, string | Buffer>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(folder.path, path, '..'), { recursive: true });
    writeFileSync(join(folder.path, path), content);
  }
}
const judge = (...args: string[]) =>
  runCli(['judge', ...args, 'main.cpp', '--tests', 't'], { url: api.url, cwd: folder.path });
const sent = () => api.requests('POST', '/v1/runs').at(-1)?.body as { inputs: unknown[] };

const step = (name: string, more: Partial<Step>): Step => ({
  name,
  status: 'succeeded',
  exitCode: 0,
  signal: null,
  limit: null,
  stdout: '',
  stderr: '',
  stdoutEncoding: 'utf8',
  stderrEncoding: 'utf8',
  wallMs: 12,
  cpuMs: 10,
  maxMemoryBytes: 3 << 20,
  verdict: null,
  difference: null,
  ...more,
});
const answer = (...steps: Step[]) => {
  api.script = {
    events: [status('running'), exit('succeeded', { exitCode: 0 })],
    record: { steps },
  };
};

describe('the tests', () => {
  it('are sent as inputs of one run, in the order of their numbers', async () => {
    put({ 't/10.in': 'ten', 't/10.out': 'X\n', 't/2.in': Buffer.from([0xff]), 't/2.out': 'II\n' });
    answer(step('run[0]', { verdict: 'accepted' }), step('run[1]', { verdict: 'accepted' }));
    expect(await judge('--timeout', '2s', '--stop-on-failure')).toMatchObject({ code: 0 });
    expect(sent()).toMatchObject({
      language: 'cpp',
      files: [{ path: 'main.cpp' }],
      limits: { timeoutMs: 2_000 },
      stopOnFailure: true,
      inputs: [
        { stdin: '/w==', stdinEncoding: 'base64', expectedStdout: 'II\n' },
        { stdin: 'ten', stdinEncoding: 'utf8', expectedStdout: 'X\n' },
      ],
    });
  });

  it.each<[string, string[], [string, string]]>([
    ['.in and .out', ['1.in', '1.out'], ['1.in', '1.out']],
    ['.in and .ans', ['1.in', '1.ans'], ['1.in', '1.ans']],
    ['.in and .a', ['1.in', '1.a'], ['1.in', '1.a']],
    ['a name and .a', ['01', '01.a', 'README.md', 'Makefile'], ['01', '01.a']],
    ['input and output', ['input7.txt', 'output7.txt'], ['input7.txt', 'output7.txt']],
    ['the same without .txt', ['input', 'output'], ['input', 'output']],
    ['two outputs', ['1.in', '1.ans', '1.out'], ['1.in', '1.out']],
  ])('may be named %s', async (_, names, [input, output]) => {
    put(Object.fromEntries(names.map((name) => [`t/${name}`, name])));
    answer(step('run[0]', { verdict: 'accepted' }));
    const ended = await judge();
    expect(sent().inputs).toEqual([{ stdin: input, stdinEncoding: 'utf8', expectedStdout: output }]);
    expect(ended).toMatchObject({ code: 0, stderr: 'runlet: 1 of 1 accepted.\n' });
  });

  it.each<[string, Record<string, string | Buffer>, string]>([
    ['none', { 't/readme.txt': '' }, 'There are no tests in t.'],
    [
      'an input without its output',
      { 't/1.in': '' },
      't/1.in has no expected output beside it: 1.out, or 1.ans',
    ],
    ['an output that is no text', { 't/1.in': '', 't/1.out': Buffer.from([0xff]) }, 't/1.out is not UTF-8'],
    ['a file instead of a folder', { t: '' }, 't is a file'],
    ['no folder', {}, 'there is no such folder'],
  ])('are refused where there is %s', async (_, files, text) => {
    put(files);
    const ended = await judge();
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(text);
    expect(api.requests('POST', '/v1/runs')).toEqual([]);
  });

  it('that lack an input are told', async () => {
    put({ 't/1.in': '', 't/1.out': '', 't/2.out': '' });
    answer(step('run[0]', { verdict: 'accepted' }));
    expect((await judge()).stderr).toContain('t/2.out is left out: there is no input of its name.');
  });
});

describe('the answer', () => {
  beforeEach(() => {
    for (const name of ['a', 'b', 'c', 'd']) put({ [`t/${name}.in`]: '', [`t/${name}.out`]: '' });
  });

  const steps = [
    step('compile', {}),
    step('run[0]', { verdict: 'accepted' }),
    step('run[1]', { verdict: 'wrong_answer', difference: { line: 2, expected: 'x', got: '\u001b[2J' } }),
    step('run[2]', { verdict: 'runtime_error', status: 'failed', exitCode: 139, signal: 'SIGSEGV' }),
    step('run[3]', {
      verdict: 'skipped',
      status: 'cancelled',
      exitCode: null,
      wallMs: null,
      maxMemoryBytes: null,
    }),
  ];

  it('is a table', async () => {
    answer(...steps);
    const ended = await judge();
    expect(ended.out.split('\n')).toEqual([
      'TEST  VERDICT        TIME   MEMORY',
      'a     accepted       12 ms  3.0 MiB',
      'b     wrong_answer   12 ms  3.0 MiB  line 2: expected "x", got "\\u001b[2J"',
      'c     runtime_error  12 ms  3.0 MiB  SIGSEGV',
      'd     skipped        -      -',
      '',
    ]);
    expect(ended).toMatchObject({ code: 1, stderr: 'runlet: 1 of 4 accepted.\n' });
  });

  it('is JSON, where that is wanted', async () => {
    answer(...steps);
    const ended = await judge('--json');
    expect(JSON.parse(ended.out)).toMatchObject({
      accepted: 1,
      compile: { verdict: null, stderr: '' },
      tests: [
        { test: 'a', verdict: 'accepted', wallMs: 12, maxMemoryBytes: 3 << 20, difference: null },
        { test: 'b', verdict: 'wrong_answer', difference: { line: 2 } },
        { test: 'c', verdict: 'runtime_error', signal: 'SIGSEGV' },
        { test: 'd', verdict: 'skipped', wallMs: null },
      ],
    });
    expect(ended).toMatchObject({ code: 1, stderr: '' });
  });

  it('is the compiler’s, where the program does not compile', async () => {
    answer(
      step('compile', { verdict: 'compile_error', status: 'failed', stderr: 'main.cpp:1: error\n' }),
      step('run[0]', { verdict: 'skipped', status: 'cancelled' }),
    );
    const stderr = 'main.cpp:1: error\nrunlet: The program does not compile.\n';
    expect(await judge()).toMatchObject({ code: 1, out: '', stderr });
  });

  it('is a problem, where Runlet could not run it', async () => {
    const error = {
      type: 'x',
      title: 'No image',
      status: 500,
      code: 'pull_failed',
      detail: 'No such image.',
    };
    api.script = { events: [exit('errored', { error })], record: { status: 'errored', error } };
    const ended = await judge();
    expect(ended.code).toBe(125);
    expect(ended.stderr).toContain('No such image.');
  });

  it('is 130 where it was cancelled', async () => {
    api.script = { events: [exit('cancelled')], record: { status: 'cancelled', steps: steps.slice(0, 2) } };
    expect(await judge()).toMatchObject({ code: 130 });
  });
});

it('an image cannot be judged', async () => {
  put({ 't/1.in': '', 't/1.out': '' });
  const ended = await runCli(['judge', 'busybox', '--tests', 't'], { url: api.url, cwd: folder.path });
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain('busybox is no program here');
});
