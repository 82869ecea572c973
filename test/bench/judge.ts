import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Runlet } from '../support/runlet.ts';
import { type Row, timed } from './measure.ts';

const cases = 50;
const source = `#include <cstdio>
#include <iostream>
#include <algorithm>
#include <vector>
int main() {
    std::vector<long> all;
    for (long one; std::cin >> one;) all.push_back(one);
    std::sort(all.begin(), all.end());
    for (long one : all) std::printf("%ld\\n", one);
}
`;
const input = Array.from({ length: 200 }, (_, i) => (i * 7919) % 1009).join(' ');

/** An online judge's day: one C++ program, compiled once, against fifty inputs; beside the same as bare processes. */
export async function judge(runlet: Runlet, available: boolean): Promise<Row[]> {
  if (!available) return [];
  const folder = mkdtempSync(join(tmpdir(), 'runlet-judge-'));
  try {
    writeFileSync(join(folder, 'main.cpp'), source);
    const compile = await timed(async () =>
      execFileSync('g++', ['-O2', '-std=gnu++20', '-o', join(folder, 'program'), join(folder, 'main.cpp')]),
    );
    const bare = await timed(async () => {
      for (let i = 0; i < cases; i += 1) execFileSync(join(folder, 'program'), { input });
    });
    const request = {
      language: 'c++',
      code: source,
      inputs: Array.from({ length: cases }, () => ({ stdin: input })),
    };
    await runlet.run({ language: 'c++', code: source });
    let results = 0;
    const took = await timed(async () => {
      const run = await runlet.run(request);
      if (run.status !== 'succeeded') throw new Error(`${run.status} ${run.stderr}`);
      results = run.steps.length - 1;
    });
    const bound = 1.5 * (compile + bare) + 100;
    return [
      {
        what: `one C++ program, ${results} inputs, vs its compile and ${cases} bare executions`,
        runlet: `${took.toFixed(0)} ms`,
        peer: `${(compile + bare).toFixed(0)} ms`,
        ratio: (took / (compile + bare)).toFixed(2),
        goal: `< ${bound.toFixed(0)} ms`,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
