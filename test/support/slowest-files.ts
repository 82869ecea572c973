import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';

const shown = 10;

/** Vitest's reporter of the files that took longest, as its last lines: imports and hooks included, where the time goes by which a suite grows slow. */
export default class SlowestFiles implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const all = modules.map((module) => {
      const { collectDuration, duration, setupDuration } = module.diagnostic();
      const ms = collectDuration + setupDuration + duration;
      return { file: relative(process.cwd(), module.moduleId), ms, imports: collectDuration };
    });
    all.sort((a, b) => b.ms - a.ms);
    const seconds = (ms: number) => (ms / 1_000).toFixed(1).padStart(7);
    const sum = all.reduce((total, { ms }) => total + ms, 0);
    const importing = all.reduce((total, { imports }) => total + imports, 0);
    console.log(
      `\n${seconds(sum)} s in ${all.length} files, ${seconds(importing).trim()} s of it imports; the longest:`,
    );
    for (const { file, ms } of all.slice(0, shown)) console.log(`${seconds(ms)} s  ${file}`);
  }
}
