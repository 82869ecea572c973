import { spawn } from 'node:child_process';

/** For each of the commands of a batch. iptables waits for its lock for up to half of it. */
const deadlineMs = 10_000;
const maxBatch = 16;
const endOfInput = 'RUNLET-END-OF-INPUT';

type Command = {
  /** For the error. */
  name: string;
  script: string;
  done: PromiseWithResolvers<string>;
};

let waiting: Command[] = [];

/**
 * Runs a program of the machine's own, and resolves to what it prints. Rejects with its complaint when it fails. The commands that are
 * asked for at the same moment are run by one shell, one after another: to start a process costs this program several times what it costs
 * a shell.
 */
export function run(command: string, args: string[], input?: string): Promise<string> {
  const words = [command, ...args].map(quoted).join(' ');
  const from = input === undefined ? '</dev/null' : `<<'${endOfInput}'\n${input}\n${endOfInput}`;
  return add(command, `${words} ${from}`);
}

/** As `run`, for a program that changes nothing: who asks for the same at the same moment gets the same answer. */
export function look(command: string, args: string[] = []): Promise<string> {
  const script = `${[command, ...args].map(quoted).join(' ')} </dev/null`;
  return waiting.find((one) => one.script === script)?.done.promise ?? add(command, script);
}

/** As `run`, for several programs. Its arguments are `$1` and so on. */
export function runScript(name: string, script: string, args: string[]): Promise<string> {
  return add(name, `(\nset -- ${args.map(quoted).join(' ')}\n${script}\n)`);
}

function add(name: string, script: string): Promise<string> {
  if (waiting.length === 0) setImmediate(runWaiting);
  const done = Promise.withResolvers<string>();
  waiting.push({ name, script, done });
  return done.promise;
}

function runWaiting(): void {
  const commands = waiting;
  waiting = [];
  while (commands.length > 0) runTogether(commands.splice(0, maxBatch));
}

function runTogether(commands: Command[]): void {
  // Its own group of processes: at the deadline all of it ends.
  const child = spawn('sh', ['-c', commands.map(framed).join('')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    // They need nothing else of the worker's environment. An operator's root may have no sbin in its path.
    env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  const deadline = setTimeout(
    () => child.pid && process.kill(-child.pid, 'SIGKILL'),
    deadlineMs * commands.length,
  );
  let output = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  child.on('error', (error) => {
    clearTimeout(deadline);
    for (const { done } of commands)
      done.reject(new Error(`sh cannot be run: ${error.message}`, { cause: error }));
  });
  child.on('close', (_code, signal) => {
    clearTimeout(deadline);
    const printed = output.split('\0');
    const complained = complaints.split('\0');
    for (const [index, { name, done }] of commands.entries()) {
      const code = printed[2 * index + 1] ?? signal ?? 'not begun';
      const complaint = complained[index]?.replace(/\s+/g, ' ').trim();
      if (code === '0') done.resolve(printed[2 * index] ?? '');
      else done.reject(new Error(`${name} failed (${code}): ${complaint}`));
    }
  });
}

/** What it prints, its exit code and its complaint each end with a zero byte, which none of them has. */
const framed = ({ script }: Command) => `${script}\nprintf '\\0%s\\0' $?; printf '\\0' >&2\n`;

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
