import type { Run } from '../../../shared/contracts/run.ts';
import { sizeOf } from '../attach/terminal.ts';
import type { Context } from '../context.ts';
import { InterruptedError } from '../errors.ts';
import { collectEnvironment } from '../parse/env.ts';
import { attendRun } from '../run/execute.ts';
import { Interrupts } from '../run/interrupts.ts';
import { readStdin, stdinIsPiped } from '../run/stdin.ts';

export type ExecOptions = {
  interactive?: boolean;
  tty?: boolean;
  detach?: boolean;
  env?: string[];
  workdir?: string;
  timeout?: number;
  cpuTime?: number;
  outputLimit?: number;
};

const exitInterrupted = 130;
const noStdin = 'Nothing came on stdin: the program goes without. -i passes it on as it comes.';

export const commandOf = (words: string[]) => (words[0] === '--' ? words.slice(1) : words);

export function variablesOf(context: Context, options: Pick<ExecOptions, 'env'>): Record<string, string> {
  const { env, missing } = collectEnvironment(options.env ?? [], process.env);
  for (const variable of missing)
    context.note(`-e ${variable}: it is not set here, so the program does not get it.`);
  return env;
}

/** `runlet exec`: a run inside a service, shown as `runlet run` shows its own. */
export async function executeIn(
  context: Context,
  name: string,
  words: string[],
  options: ExecOptions,
): Promise<number> {
  const env = variablesOf(context, options);
  const piped = options.interactive !== true && stdinIsPiped();
  const stdin = piped ? await readStdin(process.stdin, () => context.note(noStdin), false) : undefined;
  if (piped) process.stdin.destroy();
  const body = {
    command: commandOf(words),
    ...stdin,
    env,
    ...(options.workdir !== undefined && { workdir: options.workdir }),
    ...(options.interactive === true && { interactive: true, tty: options.tty === true }),
    ...(options.tty === true && sizeOf(process.stdout)),
    // A shell that somebody types in has an hour, as an interactive run has.
    limits: {
      ...(options.timeout !== undefined && { timeoutMs: options.timeout }),
      ...(options.timeout === undefined && options.interactive && { timeoutMs: 3_600_000 }),
      ...(options.cpuTime !== undefined && { cpuTimeMs: options.cpuTime }),
      ...(options.outputLimit !== undefined && { outputBytes: options.outputLimit }),
    },
  };
  const interrupts = new Interrupts(() => process.exit(exitInterrupted));
  try {
    const run = await context.api.json<Run>(
      { method: 'POST', path: `/v1/services/${encodeURIComponent(name)}/exec`, body },
      { onLoss: false, interrupt: interrupts.signal },
    );
    return await attendRun(context, run, options, interrupts);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    context.note(error.message);
    return exitInterrupted;
  } finally {
    interrupts.stop();
  }
}
