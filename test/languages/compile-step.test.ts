import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { buildingMs, imageOf, startWithLanguages } from './support.ts';

/** What a request says of the compiler alone, by each driver. */
const MiB = 1024 * 1024;
const lab = inject('lab');
const drivers = process.getuid?.() === 0 ? ['engine', 'oci'] : ['engine'];

/** Pascal's image can only be built from the network. */
const others = {
  c: ['int main() { return N - 7; }', ['-DN=7', '-Wall', '-lm']],
  fortran: ['program main\nend program', ['-Wall', '-fcheck=all']],
  go: ['package main\nfunc main() {}', ['-trimpath', '-ldflags=-s -w']],
  java: ['class Main { public static void main(String[] a) {} }', ['-g', '-Xlint:all', '--release=11']],
  rust: ['fn main() {}', ['-g', '-Coverflow-checks=on', '-Adead_code']],
} as const;

describe('every compiler takes its options:', () => {
  let runlet: Runlet;
  beforeAll(async () => {
    runlet = await startWithLanguages(Object.keys(others));
  }, buildingMs);
  afterAll(() => runlet.stop());

  test.each(Object.entries(others))('%s', async (language, [code, compilerOptions]) => {
    const { status, steps } = await runlet.run({
      ...{ language, code, compilerOptions },
      limits: { timeoutMs: 60_000 },
    });
    expect({ status, said: steps[0]?.stderr }).toEqual({ status: 'succeeded', said: '' });
  });
});

describe.each(drivers)('by the driver "%s"', (driver) => {
  let runlet: Runlet;
  beforeAll(async () => {
    await ensureImages(lab, [imageOf('cpp')]);
    runlet = await startRunlet(lab, { env: { RUNLET_DRIVER: driver } });
  }, buildingMs);
  afterAll(() => runlet.stop());

  /** Says what memory its sandbox may have. */
  const memory = `#include <fstream>
#include <iostream>
#include <string>
int main() {
  for (auto path : {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"}) {
    std::string line;
    if (std::getline(std::ifstream(path), line)) std::cout << line << std::endl;
  }
}`;
  /** It takes the compiler more than 100 MiB. */
  const large = `#include <array>
template <int N> struct T { static constexpr int value = T<N - 1>::value + N % 3; };
template <> struct T<0> { static constexpr int value = 0; };
${Array.from({ length: 200 }, (_, i) => `std::array<int, ${i + 1}> a${i};`).join('\n')}
#include <map>
#include <regex>
#include <iostream>
int main() { std::cout << T<800>::value << std::endl; }`;
  const cpp = (code: string, more: object) => runlet.run({ language: 'cpp', code, ...more });

  test('the program has its own memory, whether that is less than the compiler’s or more', async () => {
    for (const [memoryBytes, compiler] of [
      [64 * MiB, 512 * MiB],
      [512 * MiB, 256 * MiB],
    ]) {
      const { status, stdout, steps } = await cpp(memory, {
        limits: { memoryBytes },
        compileLimits: { memoryBytes: compiler, timeoutMs: 60_000 },
      });
      expect({ status, stdout, stderr: steps[0]?.stderr }).toEqual({
        status: 'succeeded',
        stdout: `${memoryBytes}\n`,
        stderr: '',
      });
    }
  });

  test('the compiler is held to its own memory and time', async () => {
    const limits = { memoryBytes: 512 * MiB };
    const greedy = await cpp(large, { limits, compileLimits: { memoryBytes: 16 * MiB, timeoutMs: 60_000 } });
    expect(greedy).toMatchObject({
      status: 'out_of_memory',
      error: { code: 'memory_limit', detail: expect.stringContaining('compileLimits.memoryBytes') },
      steps: [{ name: 'compile', limit: 'memory' }],
    });
    const slow = await cpp(large, { limits, compileLimits: { timeoutMs: 50 } });
    expect(slow).toMatchObject({
      status: 'timed_out',
      error: { code: 'wall_limit', detail: expect.stringContaining('compileLimits.timeoutMs') },
      steps: [{ name: 'compile', limit: 'wall' }],
    });
    const loud = await cpp('#error wrong', { limits, compileLimits: { outputBytes: 10 } });
    expect(loud).toMatchObject({ status: 'output_limit', steps: [{ name: 'compile', limit: 'output' }] });
    expect(loud.steps[0]?.stderr).toHaveLength(10);
  });

  test('its options come after its own', async () => {
    const code = `#include <iostream>
#ifdef __OPTIMIZE__
#error optimized
#endif
int main() { std::cout << __cplusplus << ' ' << NAME << std::endl; }`;
    const compilerOptions = ['-std=c++17', '-O0', '-DNAME="a b"'];
    expect(await cpp(code, { compilerOptions })).toMatchObject({
      status: 'succeeded',
      stdout: '201703 a b\n',
    });
    const wrong = await cpp(code, { compilerOptions: ['-O0', '-std=c++16'] });
    expect(wrong).toMatchObject({ status: 'failed', steps: [{ name: 'compile', status: 'failed' }] });
    expect(wrong.steps[0]).toHaveProperty('output', wrong.steps[0]?.stderr);
  });

  test('a program whose files alone are more than its memory does not start', async () => {
    const huge = 'unsigned char all[40 << 20] = {1}; int main() { return all[0] - 1; }';
    const { status, error, steps } = await cpp(huge, {
      limits: { memoryBytes: 16 * MiB, diskBytes: 256 * MiB },
      compileLimits: { memoryBytes: 512 * MiB, timeoutMs: 60_000 },
    });
    expect({ status, code: error?.code }).toEqual({ status: 'out_of_memory', code: 'memory_limit' });
    expect(steps).toMatchObject([
      { name: 'compile', status: 'succeeded' },
      { name: 'run', status: 'out_of_memory', limit: 'memory' },
    ]);
  });
});
