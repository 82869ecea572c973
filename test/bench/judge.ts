import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureLoaded } from '../support/lab-images.ts';
import { type Context, withRunlet } from './context.ts';
import { compared, median, type Row } from './measure.ts';
import { post } from './post.ts';
import { timedProcess } from './spawner.ts';

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
export async function judge(context: Context): Promise<Row[]> {
  const { lab, raw, rounds } = context;
  await ensureLoaded(lab, 'gcc');
  const folder = mkdtempSync(join(tmpdir(), 'runlet-judge-'));
  writeFileSync(join(folder, 'main.cpp'), source);
  writeFileSync(join(folder, 'input'), input);
  const script = `g++ -O2 -std=gnu++20 -o program main.cpp; for i in $(seq ${cases}); do ./program < input; done`;
  const request = {
    language: 'c++',
    code: source,
    inputs: Array.from({ length: cases }, () => ({ stdin: input })),
  };
  try {
    return await withRunlet(context, {}, async (runlet) => {
      const bare: number[] = [];
      const ours: number[] = [];
      await post(runlet, { language: 'c++', code: source });
      for (let turn = 0; turn < Math.max(1, Math.min(5, rounds / 8)); turn += 1) {
        await raw.calm();
        bare.push((await timedProcess(['sh', '-euc', script], {}, folder)).ms);
        const { ms, run } = await post(runlet, request);
        if (run.steps.length !== cases + 1) throw new Error(`${run.steps.length} steps`);
        ours.push(ms);
      }
      const [mine, peer] = [median(ours), median(bare)];
      const what = `one C++ program, ${cases} inputs, vs its compile and ${cases} bare executions`;
      return [compared(what, [mine, peer], 'ms', `< ${(1.5 * peer + 100).toFixed(0)} ms`)];
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
