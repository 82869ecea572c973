import type { Run } from '../../../shared/contracts/run.ts';
import { sizeOf } from '../attach/size.ts';
import type { Context } from '../context.ts';
import { given } from '../http/given.ts';
import { servicePath } from '../http/paths.ts';
import { readVariables } from '../parse/variables.ts';
import { withoutDashes } from '../parse/words.ts';
import { attendRun } from '../run/execute.ts';
import { interruptible } from '../run/interrupts.ts';
import { readStdin, stdinIsPiped } from '../run/stdin.ts';
import { inRunning } from './running.ts';

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

const noStdin = 'Nothing came on stdin: the program goes without. -i passes it on as it comes.';

/** `runlet exec`: a run inside a service. It is shown in the same way as `runlet run` shows its runs. */
export async function executeIn(
  context: Context,
  name: string,
  words: string[],
  options: ExecOptions,
): Promise<number> {
  const env = readVariables('program', options, context.note);
  const piped = options.interactive !== true && stdinIsPiped();
  const stdin = piped ? await readStdin(process.stdin, () => context.note(noStdin), false) : undefined;
  if (piped) process.stdin.destroy();
  const interactive = options.interactive === true;
  const tty = options.tty === true;
  const body = given({
    command: withoutDashes(words),
    ...stdin,
    env,
    workdir: options.workdir,
    ...(interactive && { interactive, tty }),
    ...(tty && sizeOf(process.stdout)),
    limits: given({
      // An interactive shell has an hour, like an interactive run.
      timeoutMs: options.timeout ?? (interactive ? 3_600_000 : undefined),
      cpuTimeMs: options.cpuTime,
      outputBytes: options.outputLimit,
    }),
  });
  return interruptible(context.note, async (interrupts) => {
    const run = await inRunning(context, name, 0, () =>
      context.api.json<Run>(
        { method: 'POST', path: servicePath(name, '/exec'), body },
        { onLoss: false, interrupt: interrupts.signal },
      ),
    );
    // The service's limit, which all that is executed in it shares.
    return attendRun(context, run, options, interrupts, '`runlet up --memory`');
  });
}
