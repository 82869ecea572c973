import { fileURLToPath } from 'node:url';
import { type Context, withRunlet } from './context.ts';
import { compared, median, type Row, throughput } from './measure.ts';
import { post } from './post.ts';
import { timedProcess } from './spawner.ts';
import { shell } from './subjects.ts';

const command = fileURLToPath(new URL('../../infra/bin/runlet', import.meta.url));
/** The least that a program of Node takes: a command line in Node cannot be quicker. */
const least = [process.execPath, '-e', '0'];

const lines: [what: string, words: string[], goal: string][] = [
  [`runlet run, warm ${shell.name}`, ['run', '--no-stdin', 'busybox', 'sh', '-c', 'echo hi'], '≤ 5'],
  ['runlet ps', ['ps'], ''],
  ['runlet --help', ['--help'], '≤ 3'],
  ['runlet --version', ['--version'], ''],
];

/** What a user waits for who types a command: in turns with a program that does nothing. */
export async function commandLine(context: Context): Promise<Row[]> {
  return withRunlet(context, {}, async (runlet) => {
    const env = { RUNLET_URL: runlet.url, RUNLET_API_KEY: runlet.apiKey };
    const typed = (words: string[]) => timedProcess([command, ...words], env);
    await throughput(4, 4 * context.rounds, () => post(runlet, shell.request));
    // Node compiles a module once, and keeps that on disk.
    for (const [, words] of lines) await typed(words);
    const took = lines.map((): number[] => []);
    const nothing: number[] = [];
    for (let round = 0; round < Math.ceil(context.rounds / 2); round += 1) {
      nothing.push((await timedProcess(least)).ms);
      for (const [i, [, words]] of lines.entries()) took[i]?.push((await typed(words)).ms);
    }
    return lines.map(([what, , goal], i) =>
      compared(`${what}, vs node -e 0`, [median(took[i] ?? []), median(nothing)], 'ms', goal),
    );
  });
}
