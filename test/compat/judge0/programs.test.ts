import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocks, pages } from '../../docs/pages.ts';
import { buildingMs, startWithLanguages } from '../../languages/support.ts';
import type { Runlet } from '../../support/runlet.ts';
import { zipOf } from './zip.ts';

// Judge0's protocol, with programs that run.

let runlet: Runlet;
beforeAll(async () => {
  runlet = await startWithLanguages(['python', 'bash', 'c', 'cpp']);
}, buildingMs);
afterAll(() => runlet.stop());

const post = async (path: string, body: unknown) => {
  const response = await runlet.call('POST', `/judge0/submissions${path}`, body);
  const text = await response.text();
  expect(response.status, text).toBe(201);
  return JSON.parse(text);
};
const result = (submission: Record<string, unknown>) => post('?wait=true&fields=*', submission);

test('the page’s command', async () => {
  const [command = ''] = blocks(pages.get('infra/docs/FROM_JUDGE0.md') ?? '', 'sh');
  const { stdout } = await promisify(execFile)('bash', ['-c', command], {
    env: { ...process.env, RUNLET_URL: runlet.url, RUNLET_API_KEY: runlet.apiKey },
  });
  expect(stdout).toContain('"status":{"id":3,"description":"Accepted"}');
  expect(JSON.parse(stdout)).toMatchObject({ stdout: 'desserts\n', stderr: null, message: null });
});

describe('programs', () => {
  const python = (source_code: string, more = {}) => ({ language_id: 71, source_code, ...more });
  const c = (source_code: string, more = {}) => ({ language_id: 50, source_code, ...more });
  test.each<[string, Record<string, unknown>, number, Record<string, unknown>]>([
    ['accepted', python('print(6 * 7)', { expected_output: '42' }), 3, { stdout: '42\n', exit_code: 0 }],
    ['wrong', python('print(6 * 8)', { expected_output: '42' }), 4, { stdout: '48\n' }],
    [
      'arguments',
      python('import sys; print(sys.argv[1:])', { command_line_arguments: `a "b c"` }),
      3,
      { stdout: "['a', 'b c']\n" },
    ],
    [
      'busy',
      c('int main() { for (;;) ; }', { cpu_time_limit: 0.3, cpu_extra_time: 0 }),
      5,
      { message: 'Time limit exceeded' },
    ],
    [
      'asleep',
      python('import time; time.sleep(60)', { wall_time_limit: 1 }),
      5,
      { message: 'Time limit exceeded (wall clock)' },
    ],
    [
      'not compiled',
      c('int main() { return x; }'),
      6,
      { compile_output: expect.stringContaining('undeclared') },
    ],
    ['a bad pointer', c('int main() { *(volatile int *)0 = 1; }'), 7, { exit_signal: 11 }],
    [
      'too talkative',
      python('while True: print("x" * 999)', { max_file_size: 8 }),
      8,
      { message: 'Caught fatal signal 25' },
    ],
    ['a signal of its own', c('#include <signal.h>\nint main() { raise(SIGFPE); }'), 9, { exit_signal: 8 }],
    [
      'abort',
      { language_id: 54, source_code: '#include <cstdlib>\nint main() { abort(); }' },
      10,
      { exit_signal: 6 },
    ],
    [
      'exit code',
      { language_id: 46, source_code: 'echo oh >&2; exit 7' },
      11,
      { stderr: 'oh\n', exit_code: 7 },
    ],
    [
      'greedy',
      python('x = bytearray(10 ** 9)\nx[::4096] = b"1" * len(x[::4096])', { memory_limit: 64_000 }),
      11,
      {},
    ],
    ['three times', python('print(1)', { number_of_runs: 3 }), 3, { stdout: '1\n', number_of_runs: 3 }],
  ])('%s', async (name, submission, status, more) => {
    const found = await result(submission);
    // Python is refused the memory, or ended by the kernel for it.
    if (name === 'greedy') expect([11, 12]).toContain(found.status_id);
    else expect(found).toMatchObject({ status_id: status, ...more });
  });
});

describe('a zip', () => {
  const base64 = (...files: [string, string][]) =>
    zipOf(files.map(([name, text]) => ({ name, text }))).toString('base64');

  test('lies beside the source', async () => {
    const found = await result({
      language_id: 71,
      source_code: 'print(open("data/a.txt").read())',
      additional_files: base64(['data/a.txt', 'from the zip'], ['main.py', 'print("not this")']),
    });
    expect(found).toMatchObject({ stdout: 'from the zip\n', status_id: 3 });
  });

  test('is a program of its own', async () => {
    const program = {
      language_id: 89,
      stdin: '21',
      additional_files: base64(
        ['compile', 'gcc -o program src/main.c'],
        ['run', './program'],
        [
          'src/main.c',
          '#include <stdio.h>\n#include "two.h"\nint main() { int n; scanf("%d", &n); printf("%d\\n", n * TWO); }',
        ],
        ['src/two.h', '#define TWO 2\n'],
      ),
    };
    expect(await result(program)).toMatchObject({ stdout: '42\n', status_id: 3, source_code: null });
    const broken = { ...program, additional_files: base64(['compile', 'gcc none.c'], ['run', 'true']) };
    expect(await result(broken)).toMatchObject({
      status_id: 6,
      stdout: null,
      compile_output: expect.stringContaining('none.c'),
    });
  });
});

test('a batch is fetched until all of it has ended', async () => {
  const submissions = Array.from({ length: 20 }, (_, i) => ({ language_id: 46, source_code: `echo ${i}` }));
  const tokens = (await post('/batch', { submissions })).map(({ token }: { token: string }) => token);
  const fetched = async (): Promise<{ stdout: string; status: { id: number } }[]> => {
    const answer = await runlet.call('GET', `/judge0/submissions/batch?tokens=${tokens.join(',')}`);
    return ((await answer.json()) as { submissions: never[] }).submissions;
  };
  await expect.poll(async () => (await fetched()).every(({ status }) => status.id > 2)).toBe(true);
  expect((await fetched()).map(({ stdout }) => stdout)).toEqual(submissions.map((_, i) => `${i}\n`));
});
