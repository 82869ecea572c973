import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAhead, installAhead } from './support/ahead.ts';
import { startLab } from './support/lab.ts';

/**
 * `npm test`: the whole suite, in several Vitest processes at the same time. Vitest can run several files at a time, or one, not both: in
 * one process those that need the Engine to themselves would wait for the hundred that need none. Their reports become one.
 */
const light = ['together', 'light'];
const shared = ['engine', 'languages', 'compose'];
/** Where they can have an Engine and a network for themselves, nobody waits for them. */
const alone = ['alone', 'bench'];

const words = process.argv.slice(2);
const ownNetwork = ['sh', fileURLToPath(new URL('./support/own-network.sh', import.meta.url))] as const;

type Environment = Record<string, string>;
const start = (
  [command = '', ...args]: string[],
  env: Environment = {},
  stdio: 'inherit' | 'pipe' = 'inherit',
) => spawn(command, args, { stdio: ['ignore', stdio, stdio], env: { ...process.env, ...env } });
const codeOf = async (child: ChildProcess) => ((await once(child, 'exit')) as [number | null])[0] ?? 1;

// Files that are named, or a pattern: a lab of their own, one Vitest, nothing ahead.
process.exitCode = await (words.every((word) => word.startsWith('-'))
  ? wholeSuite()
  : codeOf(start(['vitest', 'run', ...words])));

async function wholeSuite(): Promise<number> {
  const say = (line: string) => console.log(`lab: ${line}`);
  await installAhead(say);
  const { lab, stop } = await startLab(say);
  const stopBuilding = buildAhead(lab.imageCache);
  const inLab = { RUNLET_TEST_LAB: JSON.stringify(lab) };
  const reports = mkdtempSync(join(tmpdir(), 'runlet-reports-'));
  const running: ChildProcess[] = [];
  // A terminal's Ctrl-C has come to them, too; here it is waited for that they end, and what they leave is removed.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {
    for (const child of running) child.kill('SIGTERM');
  });
  // Reports are made of all of it, at the end.
  const isReport = (word: string) => /^--(reporter|outputFile)\b/.test(word);

  function lane(projects: string[], env: Environment, within: readonly string[] = []): Promise<number> {
    const vitest = [
      ...['vitest', 'run', ...projects.map((project) => `--project=${project}`)],
      ...[
        '--reporter=default',
        '--reporter=blob',
        `--outputFile.blob=${join(reports, `${projects[0]}.json`)}`,
      ],
      ...words.filter((word) => !isReport(word)),
    ];
    const colours: Environment = process.stdout.isTTY === true ? { FORCE_COLOR: '1' } : {};
    // Not to the terminal itself: each would draw over what the others draw there.
    const child = start([...within, ...vitest], { ...env, ...colours }, 'pipe');
    child.stdout?.pipe(process.stdout, { end: false });
    child.stderr?.pipe(process.stderr, { end: false });
    running.push(child);
    return codeOf(child);
  }

  try {
    const codes = await Promise.all(
      canHaveOwnNetwork(lab.ownsEngine)
        ? [lane(light, inLab), lane(shared, inLab), lane(alone, { RUNLET_TEST_OFFLINE: '1' }, ownNetwork)]
        : [lane(light, inLab), lane([...shared, ...alone], inLab)],
    );
    const merge = ['vitest', 'run', `--merge-reports=${reports}`, '--reporter=./test/support/summary.ts'];
    return Math.max(...codes, await codeOf(start([...merge, ...words.filter(isReport)], inLab)));
  } finally {
    rmSync(reports, { recursive: true, force: true });
    await stopBuilding();
    await stop();
  }
}

/** Only root can, and if the machine has an Engine already, that one's network is the machine's. */
function canHaveOwnNetwork(ownsEngine: boolean): boolean {
  if (!ownsEngine) return false;
  try {
    execFileSync(ownNetwork[0], [ownNetwork[1], 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
