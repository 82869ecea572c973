import type { Run, Step } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { runPath } from '../http/paths.ts';
import { formatBytes, formatMs } from '../output/format.ts';
import { openPullView } from '../output/open-pull-view.ts';
import { printTable } from '../output/table.ts';
import { exitCodeOf } from '../run/exit-code.ts';
import { followRun } from '../run/follow.ts';
import { interruptible } from '../run/interrupts.ts';
import { checkLanguage } from '../run/language-of.ts';
import type { RunOptions } from '../run/options.ts';
import { buildRequest } from '../run/request.ts';
import { cancelRun, type Started, submitAndFollow } from '../run/submit.ts';
import { chooseTarget } from '../run/target.ts';
import { readTests, type Test } from './tests.ts';

export type JudgeOptions = Pick<
  RunOptions,
  'lang' | 'file' | 'timeout' | 'cpuTime' | 'memory' | 'stack' | 'outputLimit'
> & { tests: string; stopOnFailure?: boolean };

/** `runlet judge`, from its options to its exit code: 0 only if every test is accepted. */
export async function judge(
  context: Context,
  words: readonly string[],
  options: JudgeOptions,
): Promise<number> {
  const { tests: folder, stopOnFailure, ...runOptions } = options;
  const target = chooseTarget(words, runOptions, context.note);
  if (target.kind !== 'files')
    throw new UsageError(
      `${words[0] ?? 'Nothing'} is no program here: name a file with code, as in \`runlet judge main.cpp --tests ${folder}\`.`,
    );
  if (runOptions.lang !== undefined) await checkLanguage(runOptions.lang, context.api);
  const tests = readTests(folder, context.note);
  const inputs = tests.map(({ input }) => input);
  const request = {
    ...buildRequest(target, runOptions, {}, undefined, inputs, undefined, undefined),
    ...(stopOnFailure && { stopOnFailure }),
  };
  return interruptible(context.note, async ({ signal }) => {
    const started = await submitAndFollow(context, request, signal);
    const run = await endOf(context, started, signal);
    return report(context, run, tests);
  });
}

/** The run once it has ended. It is cancelled at the first Ctrl-C. */
async function endOf(context: Context, { id, first }: Started, signal: AbortSignal): Promise<Run> {
  const pull = openPullView(context.err, context);
  let cancelled: Promise<void> | undefined;
  const cancel = () => {
    cancelled ??= cancelRun(context, id);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  try {
    for await (const event of followRun(context.api, id, { note: context.note, first }))
      if (event.type === 'pull') await pull.show(event.data);
      else if (event.type === 'status') await pull.stop();
  } finally {
    await pull.stop();
  }
  await cancelled;
  return context.api.json<Run>({ path: runPath(id) });
}

async function report(context: Context, run: Run, tests: readonly Test[]): Promise<number> {
  const compile = run.steps.find(({ name }) => name === 'compile');
  const judged = tests.map(({ name }, index) => ({
    name,
    step: run.steps.find((step) => step.name === `run[${index}]`),
  }));
  const accepted = judged.filter(({ step }) => step?.verdict === 'accepted').length;
  if (context.json) await context.printJson(asJson(run, compile, judged, accepted));
  else if (compile?.verdict === 'compile_error') {
    await context.err.write(Buffer.from(compile.stdout, compile.stdoutEncoding));
    await context.err.write(Buffer.from(compile.stderr, compile.stderrEncoding));
    context.note('The program does not compile.');
  } else {
    const rows = judged.map(({ name, step }) => [
      name,
      step?.verdict ?? '-',
      formatMs(step?.wallMs ?? null),
      step === undefined || step.maxMemoryBytes === null ? '-' : formatBytes(step.maxMemoryBytes),
      step === undefined ? '' : whyOf(step),
    ]);
    await printTable(context, ['TEST', 'VERDICT', 'TIME', 'MEMORY', ''], rows);
    context.note(`${accepted} of ${tests.length} accepted.`);
  }
  // Not the program's doing: a limit that ended one of the tests is told in the table.
  if (run.status === 'errored' && run.error !== null) await context.printProblem(run.error);
  if (run.status === 'errored' || run.status === 'expired' || run.status === 'cancelled')
    return exitCodeOf(run);
  return accepted === tests.length ? 0 : 1;
}

/** What there is to say beside the verdict. */
function whyOf({ verdict, difference, signal, exitCode, limit }: Step): string {
  if (difference !== null)
    return `line ${difference.line}: expected ${JSON.stringify(difference.expected)}, got ${JSON.stringify(difference.got)}`;
  if (verdict === 'runtime_error') return signal ?? `exit code ${exitCode}`;
  return verdict === 'time_limit' && limit === 'cpu' ? 'CPU time' : '';
}

type Judged = { name: string; step: Step | undefined };

function asJson(run: Run, compile: Step | undefined, judged: readonly Judged[], accepted: number) {
  return {
    run: run.id,
    status: run.status,
    error: run.error,
    accepted,
    compile: compile === undefined ? null : { verdict: compile.verdict, ...outputOf(compile) },
    tests: judged.map(({ name, step }) => ({
      test: name,
      verdict: step?.verdict ?? null,
      difference: step?.difference ?? null,
      exitCode: step?.exitCode ?? null,
      signal: step?.signal ?? null,
      wallMs: step?.wallMs ?? null,
      cpuMs: step?.cpuMs ?? null,
      maxMemoryBytes: step?.maxMemoryBytes ?? null,
    })),
  };
}

const outputOf = ({ stdout, stdoutEncoding, stderr, stderrEncoding }: Step) => ({
  ...{ stdout, stdoutEncoding, stderr, stderrEncoding },
});
