import type { ExitEvent } from '../../../shared/contracts/events.ts';
import type { Run } from '../../../shared/contracts/run.ts';
import { sizeOf } from '../attach/size.ts';
import type { Context } from '../context.ts';
import { UsageError } from '../errors.ts';
import { readOf } from '../files/collect.ts';
import { runPath } from '../http/paths.ts';
import { openPullView } from '../output/open-pull-view.ts';
import { readVariables } from '../parse/variables.ts';
import { endNote, problemOf } from './end-note.ts';
import { exitCodeOf } from './exit-code.ts';
import { followRun } from './follow.ts';
import { Hints, nothingKept } from './hints.ts';
import { type Interrupts, interruptible } from './interrupts.ts';
import { checkLanguage } from './language-of.ts';
import { checkTerminal, type RunOptions } from './options.ts';
import { buildRequest } from './request.ts';
import { showRun } from './show-run.ts';
import { encodeStdin, readStdin, type Stdin, stdinIsPiped } from './stdin.ts';
import { stepNote } from './step-note.ts';
import { cancelRun, type Started, submit, submitAndFollow } from './submit.ts';
import { chooseTarget, type Target } from './target.ts';
import { tellMadeSecret, webhookOf } from './webhook.ts';

// The exit code of a program that SIGPIPE ended, so that `set -o pipefail` sees no difference.
const exitPipe = 141;

/** `runlet run`, from its options to its exit code. */
export async function executeRun(
  context: Context,
  words: readonly string[],
  options: RunOptions,
): Promise<number> {
  checkOptions(options);
  const webhook = webhookOf(options, process.env);
  const env = readVariables('run', options, context.note);
  const target = chooseTarget(words, options, context.note);
  if (options.lang !== undefined) await checkLanguage(options.lang, context.api);
  const inputs = (options.input ?? []).map((path) => encodeStdin(readOf(path)));
  const request = await withStdin(context, target, options, inputs, (program, stdin) =>
    buildRequest(program, options, env, stdin, inputs, webhook, sizeOf(process.stdout)),
  );
  return interruptible(context.note, async (interrupts) => {
    const { signal } = interrupts;
    const makesSecret = webhook !== undefined && webhook.secret === undefined;
    const hints = new Hints(request, context);
    if (!options.detach && !options.interactive && !makesSecret) {
      const started = await submitAndFollow(context, request, signal);
      return attendRun(context, started, options, interrupts, '--memory', hints);
    }
    const run = await submit(context, request, signal);
    // With --detach and --json the whole answer is printed, with the secret in it.
    if (makesSecret && !(options.detach && context.json)) await tellMadeSecret(context, run);
    if (options.detach) return printDetached(context, run);
    return attendRun(context, run, options, interrupts, '--memory', hints);
  });
}

function checkOptions({ interactive, tty, detach, outputDir, artifact, stdin }: RunOptions): void {
  checkTerminal({ interactive, tty, detach });
  if (interactive && stdin === false) throw new UsageError('-i and --no-stdin exclude one another.');
  if (outputDir !== undefined && artifact === undefined)
    throw new UsageError('--output-dir has nothing to fetch: name what to keep with --artifact.');
  if (outputDir !== undefined && detach)
    throw new UsageError('--output-dir waits for the end: later, `runlet artifacts` fetches them.');
}

/** Reads stdin if it is the run's input or the program itself. */
async function withStdin<T>(
  context: Context,
  target: Target,
  options: RunOptions,
  inputs: unknown[],
  build: (program: Exclude<Target, { kind: 'stdin' }>, stdin: Stdin | undefined) => T,
): Promise<T> {
  if (target.kind === 'stdin') {
    const code = await readStdin(process.stdin, context.note, true);
    process.stdin.destroy();
    if (code?.stdinEncoding === 'base64') throw new UsageError('The code on stdin is not UTF-8.');
    return build(
      { kind: 'code', language: target.language, code: code?.stdin ?? '', args: target.args },
      undefined,
    );
  }
  const piped = options.stdin !== false && !options.interactive && inputs.length === 0 && stdinIsPiped();
  const stdin = piped ? await readStdin(process.stdin, context.note, options.stdin === true) : undefined;
  // A stdin that stays open must not keep the process alive.
  if (piped) process.stdin.destroy();
  return build(target, stdin);
}

async function printDetached(context: Context, run: Run): Promise<number> {
  await (context.json ? context.printJson(run) : context.out.line(run.id));
  return 0;
}

/**
 * Shows a run to its end, and cancels it at the first Ctrl-C. Returns the exit code.
 *
 * @param memorySetBy the option that sets the run's memory limit
 * @param hints says what helps a user of `runlet run`
 */
export async function attendRun(
  context: Context,
  run: Started,
  options: RunOptions,
  interrupts: Interrupts,
  memorySetBy: string,
  hints?: Hints,
): Promise<number> {
  const { note } = context;
  let cancelled: Promise<void> | undefined;
  const cancel = () => {
    cancelled ??= cancelRun(context, run.id);
  };
  interrupts.onFirst(() => {
    note('Cancelling the run; Ctrl-C again leaves without waiting for its end.');
    cancel();
  });
  const end = options.interactive
    ? await converseWith(context, run.id, options.tty === true, cancel, hints)
    : await watch(context, run, cancel, hints);
  await cancelled;
  if (end === undefined)
    throw new Error(`The events of ${run.id} ended without its end: see \`runlet show ${run.id}\`.`);
  const code = await finish(context, run.id, end, options, memorySetBy);
  await hints?.tell(end);
  return code;
}

async function watch(
  context: Context,
  { id, first }: Started,
  onClosed: () => void,
  hints: Hints | undefined,
): Promise<ExitEvent | undefined> {
  const { api, note } = context;
  // With --json the output is part of the run, which is printed at the end.
  const output = context.json ? {} : { out: context.out, err: context.err };
  const pull = openPullView(context.err, context);
  const events = followRun(api, id, { note, first });
  return showRun(hints?.watch(events) ?? events, { ...output, pull, note, onClosed });
}

async function converseWith(
  context: Context,
  runId: string,
  tty: boolean,
  onClosed: () => void,
  hints: Hints | undefined,
): Promise<ExitEvent | undefined> {
  const { converse } = await import('../attach/converse.ts');
  return converse(context, runId, tty, onClosed, hints && ((events) => hints.watch(events)));
}

async function finish(
  context: Context,
  runId: string,
  end: ExitEvent,
  options: RunOptions,
  memorySetBy: string,
): Promise<number> {
  await printResults(context, runId, options);
  const problem = problemOf(end);
  if (problem) await context.printProblem(problem);
  const { failure } = context.out;
  if (failure && failure.code !== 'EPIPE')
    throw new Error(`stdout could not be written: ${failure.message}.`);
  if (failure && end.status === 'cancelled') return exitPipe;
  const text = endNote(end, memorySetBy);
  if (text) context.note(text);
  return exitCodeOf(end);
}

/** Prints what the events do not contain: the record, the result of each input, the artifacts. */
async function printResults(context: Context, runId: string, options: RunOptions): Promise<void> {
  const inputs = options.input !== undefined;
  if (!context.json && !inputs && options.artifact === undefined) return;
  const run = await context.api.json<Run>({ path: runPath(runId) });
  if (context.json) await context.printJson(run);
  else if (inputs) for (const step of run.steps) context.note(stepNote(step));
  const missed = options.artifact && nothingKept(run, options.artifact);
  if (missed !== undefined) context.note(missed);
  else if (options.outputDir !== undefined) {
    const { fetchArtifacts } = await import('../files/fetch-artifacts.ts');
    await fetchArtifacts(context, run, options.outputDir);
  } else if (run.artifacts.length > 0) {
    const files = run.artifacts.length === 1 ? '1 file was' : `${run.artifacts.length} files were`;
    context.note(`${files} kept: \`runlet artifacts ${run.id}\` lists and fetches them.`);
  }
}
