import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Runlet } from '../support/runlet.ts';
import { buildingMs, startWithLanguages } from './support.ts';

const drivers = ['oci', 'engine'] as const;
const runlets = new Map<string, Runlet>();

beforeAll(async () => {
  for (const driver of drivers)
    runlets.set(driver, await startWithLanguages(['cpp', 'python'], { RUNLET_DRIVER: driver }));
}, buildingMs);

afterAll(() => Promise.all([...runlets.values()].map((runlet) => runlet.stop())));

/** Does what its input says. */
const solution = `#include <iostream>
#include <string>
#include <vector>
int main() {
  std::string what;
  std::getline(std::cin, what);
  if (what == "add") { long a, b; std::cin >> a >> b; std::cout << a + b << "  \\n\\n"; }
  if (what == "crash") std::abort();
  if (what == "code") { std::cout << "right\\n"; return 3; }
  if (what == "slow") for (volatile long i = 0;; i = i + 1) {}
  if (what == "talk") for (;;) std::cout << "and so on ";
  if (what == "hoard") { std::vector<std::string> all; for (;;) all.push_back(std::string(1 << 20, 'x')); }
}`;
const limits = { timeoutMs: 60_000, cpuTimeMs: 4_000, memoryBytes: 256 * 1024 * 1024, outputBytes: 100_000 };

const judge = async (request: Record<string, unknown>, driver: string = drivers[0]) => {
  const run = await (runlets.get(driver) as Runlet).run({ limits, ...request });
  return { run, verdicts: run.steps.map(({ verdict }) => verdict) };
};

describe('a program in C++', () => {
  const inputs = [
    { stdin: 'add\n2 3', expectedStdout: '5' },
    { stdin: 'add\n2 2', expectedStdout: '5\n' },
    { stdin: 'crash', expectedStdout: '' },
    { stdin: 'code', expectedStdout: 'right\n' },
    { stdin: 'slow', expectedStdout: 'x' },
    { stdin: 'talk', expectedStdout: 'and so on' },
    { stdin: 'hoard', expectedStdout: '' },
    { stdin: 'nothing' },
    { stdin: 'add\n-1 1', expectedStdout: '\n 0\n' },
  ];

  test.each(drivers)('has a verdict for each input, by the driver %s', async (driver) => {
    const { run, verdicts } = await judge({ language: 'cpp', code: solution, inputs }, driver);
    expect(verdicts).toEqual([
      null,
      'accepted',
      'wrong_answer',
      'runtime_error',
      'runtime_error',
      'time_limit',
      'output_limit',
      'memory_limit',
      'accepted',
      'wrong_answer',
    ]);
    expect(run.steps.map(({ difference }) => difference).filter((one) => one !== null)).toEqual([
      { line: 1, expected: '5', got: '4' },
      { line: 1, expected: '', got: '0' },
    ]);
    expect(run.request).toMatchObject({ inputs });
  });

  test('is asked no more after the first failure, where that is wanted', async () => {
    const { run, verdicts } = await judge({ language: 'cpp', code: solution, inputs, stopOnFailure: true });
    expect(verdicts.slice(0, 4)).toEqual([null, 'accepted', 'wrong_answer', 'skipped']);
    expect(new Set(verdicts.slice(3))).toEqual(new Set(['skipped']));
    expect(run.status).toBe('succeeded');
    expect(run.steps.at(-1)).toMatchObject({ name: 'run[8]', status: 'cancelled', wallMs: null, stdout: '' });
  });

  test.each(drivers)('has a hundred of them, by the driver %s', async (driver) => {
    const many = Array.from({ length: 100 }, (_, index) => ({
      stdin: `add\n${index} ${index}`,
      // The tenth of them expect what is wrong.
      expectedStdout: `${index % 10 === 9 ? -1 : 2 * index}\n`,
    }));
    const { verdicts } = await judge({ language: 'cpp', code: solution, inputs: many }, driver);
    expect(verdicts.slice(1)).toEqual(
      many.map((_, index) => (index % 10 === 9 ? 'wrong_answer' : 'accepted')),
    );
  });

  test('that does not compile is judged for that alone, and the compiler’s words are the run’s', async () => {
    const { run, verdicts } = await judge({ language: 'cpp', code: 'int main() { return x; }', inputs });
    expect(verdicts).toEqual(['compile_error', ...inputs.map(() => 'skipped')]);
    expect(run.status).toBe('failed');
    expect(run.stderr).toContain('‘x’ was not declared');
  });
});

test('a run that nobody judges has no verdicts, and stopOnFailure alone judges how programs end', async () => {
  const code = 'import sys\nsys.exit(int(input()))';
  const inputs = [{ stdin: '0' }, { stdin: '1' }, { stdin: '0' }];
  const plain = await judge({ language: 'python', code, inputs });
  expect(plain.verdicts).toEqual([null, null, null]);
  const { verdicts } = await judge({ language: 'python', code, inputs, stopOnFailure: true });
  expect(verdicts).toEqual(['accepted', 'runtime_error', 'skipped']);
});

test('the program finds what is expected nowhere', async () => {
  const code = `import os, sys
mark = ('the-answer' + '-is-secret').encode()
looked = 0
def look(path):
  global looked
  try:
    with open(path, 'rb') as file:
      data = file.read(1 << 24)
  except OSError:
    return
  looked += 1
  if mark in data: print('in', path)
for top in ['/work', '/tmp', '/dev/shm', '/run', '/var', '/etc']:
  for folder, _, names in os.walk(top):
    for name in names: look(os.path.join(folder, name))
for pid in filter(str.isdigit, os.listdir('/proc')):
  for name in ['environ', 'cmdline']: look(f'/proc/{pid}/{name}')
  for number in (os.listdir(f'/proc/{pid}/fd') if pid == str(os.getpid()) else []):
    if number != '0': print('fd', number, os.readlink(f'/proc/{pid}/fd/{number}')) if int(number) > 3 else None
print('looked', looked > 10, mark in sys.stdin.buffer.read())`;
  const expectedStdout = 'the-answer-is-secret';
  const { run, verdicts } = await judge({ language: 'python', code, inputs: [{ expectedStdout }] });
  expect(run.stdout).toBe('looked True False\n');
  expect(verdicts).toEqual(['wrong_answer']);
});
