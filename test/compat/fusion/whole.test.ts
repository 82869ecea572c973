import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RunCodeAnswer } from '../../../services/gateway/compat/fusion/answer.ts';
import { blocks, pages } from '../../docs/pages.ts';
import { ensureLoaded } from '../../support/lab-images.ts';
import { type Runlet, startRunlet } from '../../support/runlet.ts';

// SandboxFusion's API with real sandboxes behind it.

const lab = inject('lab');
let runlet: Runlet;
beforeAll(async () => {
  for (const name of ['python', 'debian', 'gcc']) await ensureLoaded(lab, name);
  runlet = await startRunlet(lab);
});
afterAll(() => runlet.stop());

/** As verl asks: the address has the key, and nothing else is set. */
async function runCode(body: Record<string, unknown>): Promise<RunCodeAnswer> {
  const answer = await fetch(`${runlet.url}/k/${runlet.apiKey}/fusion/run_code`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return JSON.parse(text) as RunCodeAnswer;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('a program', () => {
  test('reads its stdin as it was given, and writes', async () => {
    const answer = await runCode({
      language: 'python',
      code: 'import sys\nprint(repr(sys.stdin.read()))\nprint("e", file=sys.stderr)',
      stdin: ' a\nb',
      compile_timeout: 30,
      run_timeout: 30,
      memory_limit_MB: 512,
      files: {},
      fetch_files: [],
    });
    expect(answer).toEqual({
      status: 'Success',
      message: '',
      compile_result: null,
      run_result: {
        status: 'Finished',
        execution_time: expect.any(Number),
        return_code: 0,
        stdout: "' a\\nb'\n",
        stderr: 'e\n',
      },
      executor_pod_name: null,
      files: {},
    });
  });

  test('reads nothing where no stdin is given', async () => {
    const answer = await runCode({ language: 'bash', code: 'cat; echo over' });
    expect(answer.run_result?.stdout).toBe('over\n');
  });

  test('reads files and leaves files, in its own folder', async () => {
    const answer = await runCode({
      language: 'python',
      code: 'import lib.a\nopen("out[1].txt", "w").write(lib.a.word + open("in.txt").read())',
      files: { 'lib/a.py': base64('word = "w"'), 'in.txt': base64('read\n'), 'none.txt': null },
      fetch_files: ['out[1].txt', 'missing.txt'],
    });
    expect(answer).toMatchObject({ status: 'Success', files: { 'out[1].txt': base64('wread\n') } });
    expect(Object.keys(answer.files)).toEqual(['out[1].txt']);
  });

  test('reads files and leaves files below /tmp', async () => {
    const answer = await runCode({
      language: 'bash',
      code: 'tr a-z A-Z < /tmp/in/a.txt > /tmp/out.txt; cat b.txt',
      files: { '/tmp/in/a.txt': base64('deep\n'), 'b.txt': base64('near\n') },
      fetch_files: ['/tmp/out.txt'],
    });
    expect(answer).toMatchObject({
      status: 'Success',
      run_result: { stdout: 'near\n', stderr: '' },
      files: { '/tmp/out.txt': base64('DEEP\n') },
    });
  });

  test.each([
    ['exits', 'exit 3', {}, { status: 'Finished', return_code: 3 }],
    ['kills itself', 'kill -SEGV $$', {}, { status: 'Finished', return_code: -11 }],
    [
      'is late, and what it wrote is kept',
      'echo early; sleep 60',
      { run_timeout: 0.5 },
      { status: 'TimeLimitExceeded', return_code: null, stdout: 'early\n' },
    ],
    [
      'writes what is no text',
      String.raw`printf 'a\377b'; exit 1`,
      {},
      { status: 'Finished', stdout: 'a\ufffdb' },
    ],
  ])('%s', async (_, code, more, expected) => {
    const answer = await runCode({ language: 'bash', code, ...more });
    expect(answer).toMatchObject({ status: 'Failed', message: '', run_result: expected });
  });

  test('has no more memory than it is given', async () => {
    const answer = await runCode({
      language: 'python',
      code: 'x = b"x" * 200_000_000\nprint(len(x))',
      memory_limit_MB: 64,
    });
    expect(answer).toMatchObject({
      status: 'Failed',
      message: expect.stringContaining('memory'),
      run_result: { status: 'Finished', return_code: -9, stdout: '' },
    });
  });

  test('is compiled first', async () => {
    const code = '#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n * 2; }';
    expect(await runCode({ language: 'cpp', code, stdin: '21' })).toMatchObject({
      status: 'Success',
      compile_result: { status: 'Finished', return_code: 0 },
      run_result: { status: 'Finished', return_code: 0, stdout: '42' },
    });
    expect(await runCode({ language: 'cpp', code: 'int main() { return 1 }' })).toMatchObject({
      status: 'Failed',
      compile_result: { status: 'Finished', return_code: 1, stderr: expect.stringContaining('error') },
      run_result: null,
    });
  });
});

test('the page’s command prints the answer', async () => {
  const [command = ''] = blocks(pages.get('infra/docs/FROM_SANDBOXFUSION.md') ?? '', 'sh');
  const env = { PATH: process.env.PATH, RUNLET_URL: runlet.url, RUNLET_API_KEY: runlet.apiKey };
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env });
  expect(JSON.parse(stdout)).toMatchObject({ status: 'Success', run_result: { stdout: 'hi\n' } });
});

test('500 requests at once all end, each with its own answer', async () => {
  const answers = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      runCode({ language: 'bash', code: 'read -r n; echo "$n"', stdin: `${index}\n` }),
    ),
  );
  expect(answers.filter(({ status }) => status !== 'Success')).toEqual([]);
  expect(answers.map(({ run_result }) => run_result?.stdout)).toEqual(
    Array.from({ length: 500 }, (_, index) => `${index}\n`),
  );
});
