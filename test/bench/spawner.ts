import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Starts the peers' processes, and tells in milliseconds what each took, in a process of its own: to fork the benchmark, with all that
 * it has in memory, would cost a peer ten milliseconds that are not its own.
 */
type Wanted = { argv: string[]; env: Record<string, string>; folder: string | undefined };
/** From its start to its end and that of its output; what it wrote to stdout. */
type Timed = { ms: number; stdout: string };

let spawner: ChildProcess | undefined;
let last: Promise<unknown> = Promise.resolve();

/** One at a time. Rejects when it fails. @param folder where it runs */
export function timedProcess(
  argv: string[],
  env: Record<string, string> = {},
  folder?: string,
): Promise<Timed> {
  const mine = last.then(() => ask({ argv, env, folder }));
  last = mine.catch(() => {});
  return mine;
}

async function ask(wanted: Wanted): Promise<Timed> {
  spawner ??= started();
  spawner.send(wanted);
  const [answer] = (await once(spawner, 'message')) as [Timed | string];
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

function run({ argv, env, folder }: Wanted): Promise<Timed> {
  const [file = '', ...words] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<Timed>();
  const began = performance.now();
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
    if (code === 0) resolve({ ms: performance.now() - began, stdout });
    else reject(new Error(`exit code ${code}: ${stderr.slice(-500)}`));
  });
  return promise;
}

if (process.argv[2] === spawnerWord && process.send !== undefined)
  process.on('message', (wanted: Wanted) => {
    run(wanted).then(
      (timed) => process.send?.(timed),
      (error: Error) => process.send?.(error.message),
    );
  });
