import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ExitEvent } from '../../../shared/contracts/events.ts';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Context } from '../context.ts';
import { ApiError, InterruptedError, UsageError } from '../errors.ts';
import { openPullView } from '../output/open-pull-view.ts';
import { collectEnvironment, parseEnvFile } from '../parse/env.ts';
import { endNote } from './end-note.ts';
import { exitCodeOf } from './exit-code.ts';
import { followRun } from './follow.ts';
import { Interrupts } from './interrupts.ts';
import { buildRequest, type RunOptions } from './request.ts';
import { showRun } from './show-run.ts';
import { readStdin, stdinIsPiped } from './stdin.ts';

const exitInterrupted = 130;
// What a program ended by SIGPIPE gives, so that `set -o pipefail` sees no difference.
const exitPipe = 141;

/** `runlet run`, from the options to the exit code. */
export async function executeRun(
  context: Context,
  image: string,
  command: readonly string[],
  options: RunOptions,
): Promise<number> {
  const env = readVariables(context, options);
  const piped = options.stdin !== false && stdinIsPiped();
  const stdin = piped ? await readStdin(process.stdin, context.note, options.stdin === true) : undefined;
  // One that is left open must not keep the process.
  if (piped) process.stdin.destroy();
  const request = buildRequest(image, command, options, env, stdin);
  const interrupts = new Interrupts(() => process.exit(exitInterrupted));
  try {
    const run = await submit(context, request, interrupts.signal);
    if (options.detach) return await printDetached(context, run);
    return await attend(context, run, interrupts);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    context.note(error.message);
    return exitInterrupted;
  } finally {
    interrupts.stop();
  }
}

function readVariables(context: Context, options: RunOptions): Record<string, string> {
  const fromFiles = (options.envFile ?? []).flatMap((path) => {
    try {
      return parseEnvFile(readFileSync(path, 'utf8'));
    } catch (error) {
      throw new UsageError(`--env-file ${path}: ${(error as Error).message}`);
    }
  });
  const { env, missing } = collectEnvironment([...fromFiles, ...(options.env ?? [])], process.env);
  for (const name of missing) context.note(`-e ${name}: it is not set here, so the run does not get it.`);
  return env;
}

/** One key for all tries: a run that was accepted while its answer got lost is not started again. */
async function submit(context: Context, body: unknown, interrupt: AbortSignal): Promise<Run> {
  const headers = { 'idempotency-key': randomUUID() };
  const run = await context.api.json<Run | undefined>(
    { method: 'POST', path: '/v1/runs', body, headers },
    { interrupt },
  );
  if (typeof run?.id !== 'string')
    throw new Error(
      `${context.api.url} accepted the run but did not name it. Check the address with \`runlet config\`.`,
    );
  return run;
}

async function printDetached(context: Context, run: Run): Promise<number> {
  await (context.json ? context.printJson(run) : context.out.line(run.id));
  return 0;
}

async function attend(context: Context, run: Run, interrupts: Interrupts): Promise<number> {
  const { api, note } = context;
  let cancelled: Promise<void> | undefined;
  const cancel = () => {
    cancelled ??= cancelRun(context, run.id);
  };
  interrupts.onFirst(() => {
    note('Cancelling the run; Ctrl-C again leaves without waiting for its end.');
    cancel();
  });
  // With --json the output is in the run that is printed at the end.
  const output = context.json ? {} : { out: context.out, err: context.err };
  const pull = openPullView(context.err, context);
  const end = await showRun(followRun(api, run.id, { note }), { ...output, pull, note, onClosed: cancel });
  await cancelled;
  if (end === undefined)
    throw new Error(`The events of ${run.id} ended without its end: see \`runlet show ${run.id}\`.`);
  return finish(context, run.id, end);
}

async function finish(context: Context, runId: string, end: ExitEvent): Promise<number> {
  if (context.json)
    await context.printJson(await context.api.json<Run>({ path: `/v1/runs/${encodeURIComponent(runId)}` }));
  if (end.error) await context.printProblem(end.error);
  const { failure } = context.out;
  if (failure && failure.code !== 'EPIPE')
    throw new Error(`stdout could not be written: ${failure.message}.`);
  if (failure && end.status === 'cancelled') return exitPipe;
  const text = endNote(end);
  if (text) context.note(text);
  return exitCodeOf(end);
}

async function cancelRun(context: Context, runId: string): Promise<void> {
  try {
    await context.api.json({ method: 'POST', path: `/v1/runs/${encodeURIComponent(runId)}/cancel` });
  } catch (error) {
    // It ended by itself in the meantime: its end comes over the events.
    if (error instanceof ApiError && [404, 409].includes(error.problem.status ?? 0)) return;
    context.note(
      `The run could not be cancelled: ${(error as Error).message} Try \`runlet cancel ${runId}\`.`,
    );
  }
}
