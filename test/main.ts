import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { buildAhead, installAhead } from './support/ahead.ts';
import { startLab } from './support/lab.ts';

/**
 * `npm test`: the whole suite, in two Vitest processes with one lab. Vitest can run several files at a time, or one, not both at the same
 * time: in one process those that need the Engine to themselves would wait for the hundred that need none. Their reports become one.
 */
const lanes = { light: ['together', 'light'], engine: ['engine', 'alone', 'languages', 'last'] };

const words = process.argv.slice(2);
const vitest = (args: string[], env: Record<string, string> = {}, stdio: 'inherit' | 'pipe' = 'inherit') =>
  spawn('vitest', ['run', ...args], { stdio: ['ignore', stdio, stdio], env: { ...process.env, ...env } });
const codeOf = async (child: ChildProcess) => ((await once(child, 'exit')) as [number | null])[0] ?? 1;

// Files that are named, or a pattern: a lab of their own, one Vitest, nothing ahead.
process.exitCode = await (words.every((word) => word.startsWith('-')) ? wholeSuite() : codeOf(vitest(words)));

async function wholeSuite(): Promise<number> {
  const say = (line: string) => console.log(`lab: ${line}`);
  await installAhead(say);
  const { lab, stop } = await startLab(say);
  const stopBuilding = buildAhead(lab.imageCache);
  const running: ChildProcess[] = [];
  // A terminal's Ctrl-C has come to them, too; here it is waited for that they end, and what they leave is removed.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {
    for (const child of running) child.kill('SIGTERM');
  });
  // Reports are made of all of it, at the end.
  const isReport = (word: string) => /^--(reporter|outputFile)\b/.test(word);
  try {
    const reports = join(lab.dataDir, 'reports');
    const codes = await Promise.all(
      Object.entries(lanes).map(([name, projects]) => {
        const child = vitest(
          [
            ...projects.map((project) => `--project=${project}`),
            '--reporter=default',
            '--reporter=blob',
            `--outputFile.blob=${join(reports, `${name}.json`)}`,
            ...words.filter((word) => !isReport(word)),
          ],
          {
            RUNLET_TEST_LAB: JSON.stringify(lab),
            ...(process.stdout.isTTY === true && { FORCE_COLOR: '1' }),
          },
          // Not to the terminal itself: each would draw over what the other one draws there.
          'pipe',
        );
        child.stdout?.pipe(process.stdout, { end: false });
        child.stderr?.pipe(process.stderr, { end: false });
        running.push(child);
        return codeOf(child);
      }),
    );
    const merged = vitest(
      [`--merge-reports=${reports}`, '--reporter=./test/support/summary.ts', ...words.filter(isReport)],
      { RUNLET_TEST_LAB: JSON.stringify(lab) },
    );
    return Math.max(...codes, await codeOf(merged));
  } finally {
    await stopBuilding();
    await stop();
  }
}
