import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { inLanes, type Tally } from './measure.ts';

/**
 * Starts the peers' processes, and tells in milliseconds what each took, in a process of its own: to fork the benchmark, with all that
 * it has in memory, would cost a peer ten milliseconds that are not its own.
 */
type Wanted = {
  argv: string[];
  env: Record<string, string>;
  folder: string | undefined;
  lanes: number;
  calls: number;
};
/** From each one's start to its end and that of its output; what the last wrote to stdout. */
type Answer = { tally: Tally; stdout: string };

let spawner: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/** One at a time. Rejects when it fails. @param folder where it runs */
export async function timedProcess(
  argv: string[],
  env: Record<string, string> = {},
  folder?: string,
): Promise<{ ms: number; stdout: string }> {
  const { tally, stdout } = await inTurn({ argv, env, folder, lanes: 1, calls: 1 });
  return { ms: tally.took[0] ?? Number.NaN, stdout };
}

/** So many of them, in lanes that do not pause. Rejects when one fails. */
export async function processesInLanes(
  lanes: number,
  calls: number,
  argv: string[],
  env: Record<string, string> = {},
): Promise<Tally> {
  return (await inTurn({ argv, env, folder: undefined, lanes, calls })).tally;
}

/** What is asked for at the same time waits. */
function inTurn(wanted: Wanted): Promise<Answer> {
  const mine = last.then(() => ask(wanted));
  last = mine.catch(() => {});
  return mine;
}

async function ask(wanted: Wanted): Promise<Answer> {
  spawner ??= started();
  spawner.send(wanted);
  const [answer] = (await once(spawner, 'message')) as [Answer | string];
  if (typeof answer !== 'string') return answer;
  throw new Error(`${wanted.argv.join(' ')}: ${answer}`);
}

/** It ends with the benchmark, whose channel closes then. */
function started(): ChildProcess {
  const child = fork(new URL(import.meta.url), [spawnerWord], { stdio: 'inherit', execArgv: [] });
  child.unref();
  child.channel?.unref();
  return child;
}

const spawnerWord = 'spawner';

async function run({ lanes, calls, ...wanted }: Wanted): Promise<Answer> {
  let stdout = '';
  const tally = await inLanes(lanes, calls, async () => {
    stdout = await runOne(wanted);
  });
  return { tally, stdout };
}

function runOne({ argv, env, folder }: Pick<Wanted, 'argv' | 'env' | 'folder'>): Promise<string> {
  const [file = '', ...words] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(file, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(folder !== undefined && { cwd: folder }),
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.once('error', reject);
  child.once('close', (code) => {
    if (code === 0) resolve(stdout);
    else reject(new Error(`exit code ${code}: ${stderr.slice(-500)}`));
  });
  return promise;
}

if (process.argv[2] === spawnerWord && process.send !== undefined)
  process.on('message', (wanted: Wanted) => {
    run(wanted).then(
      (answer) => process.send?.(answer),
      (error: Error) => process.send?.(error.message),
    );
  });
