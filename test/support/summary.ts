import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

const shown = 10;

/**
 * Vitest's reporter for the last lines of the whole suite: which tests failed, how many tests there were, and which files took longest,
 * with their imports and hooks.
 */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const failed = tests.filter((one) => one.result().state === 'failed');
    const broken = modules.filter((module) => module.state() === 'failed');
    const passed = tests.filter((one) => one.result().state === 'passed').length;
    console.log(`\nall of the suite: ${tests.length} tests in ${modules.length} files`);
    console.log(
      `${passed} passed, ${failed.length} failed, ${tests.length - passed - failed.length} skipped`,
    );
    for (const module of broken) console.log(`failed: ${relative(process.cwd(), module.moduleId)}`);
    for (const one of failed) console.log(`        ${one.fullName}`);

    const all = modules.map((module) => {
      const { collectDuration, duration, setupDuration } = module.diagnostic();
      const ms = collectDuration + setupDuration + duration;
      return { file: relative(process.cwd(), module.moduleId), ms, imports: collectDuration };
    });
    all.sort((a, b) => b.ms - a.ms);
    const sum = (numbers: number[]) => seconds(numbers.reduce((total, one) => total + one, 0)).trim();
    console.log(
      `${sum(all.map(({ ms }) => ms))} s, ${sum(all.map(({ imports }) => imports))} s of it imports; the longest:`,
    );
    for (const { file, ms } of all.slice(0, shown)) console.log(`${seconds(ms)} s  ${file}`);
  }
}

const seconds = (ms: number) => (ms / 1_000).toFixed(1).padStart(7);
