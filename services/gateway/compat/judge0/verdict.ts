import { constants } from 'node:os';
import type { Run, Step } from '../../../../shared/contracts/run.ts';
import { bothStreams } from './judging.ts';
import type { Sent } from './kept.ts';
import { multiFileId } from './languages.ts';
import { notCompiledCode } from './request.ts';
import type { StatusId } from './statuses.ts';

/** What became of a submission. A text that is empty is null; times are in seconds, memory in KB. */
export type Verdict = {
  status: StatusId;
  stdout: Buffer | null;
  stderr: Buffer | null;
  compileOutput: Buffer | null;
  message: string | null;
  time: number | null;
  wallTime: number | null;
  memory: number | null;
  exitCode: number | null;
  exitSignal: number | null;
};

const nothing: Omit<Verdict, 'status'> = {
  ...{ stdout: null, stderr: null, compileOutput: null, message: null },
  ...{ time: null, wallTime: null, memory: null, exitCode: null, exitSignal: null },
};

export function verdictOf(run: Run, sent: Sent): Verdict {
  switch (run.status) {
    case 'queued':
    case 'pulling':
      return { ...nothing, status: 1 };
    case 'running':
      return { ...nothing, status: 2 };
    case 'errored':
    case 'expired':
    case 'cancelled':
      return unfinished(run);
    default:
      return finished(run, sent);
  }
}

/** It was not carried out: a fault of ours or of the set-up, or somebody cancelled it. */
function unfinished({ status, error }: Run): Verdict {
  const notStarted = error?.code === 'command_not_executable' || error?.code === 'command_not_found';
  return { ...nothing, status: notStarted ? 14 : 13, message: error?.detail ?? `The run was ${status}.` };
}

function finished(run: Run, sent: Sent): Verdict {
  const compile = run.steps.find(({ name }) => name === 'compile');
  const steps = run.steps.filter((step) => step !== compile);
  // Of several runs the first that went wrong decides.
  const decisive = steps.find((step) => howItEnded(step, sent).status !== 3) ?? steps.at(-1);
  if (compile !== undefined && compile.status !== 'succeeded')
    return { ...nothing, status: 6, compileOutput: compileOutput(compile) };
  if (decisive === undefined) return unfinished(run);
  if (sent.settings.language_id === multiFileId && decisive.exitCode === notCompiledCode)
    return { ...nothing, status: 6, compileOutput: filled(bothStreams(decisive)) };
  const merged = sent.settings.redirect_stderr_to_stdout;
  return {
    ...howItEnded(decisive, sent),
    stdout: filled(merged ? bothStreams(decisive) : stdoutOf(decisive)),
    stderr: merged ? null : filled(Buffer.from(decisive.stderr, decisive.stderrEncoding)),
    compileOutput: compile === undefined ? null : filled(bothStreams(compile)),
    time: mean(
      steps.map(({ cpuMs }) => cpuMs),
      1 / 1000,
    ),
    wallTime: mean(
      steps.map(({ wallMs }) => wallMs),
      1 / 1000,
    ),
    memory: whole(
      mean(
        steps.map(({ maxMemoryBytes }) => maxMemoryBytes),
        1 / 1024,
      ),
    ),
  };
}

const filled = (text: Buffer) => (text.length === 0 ? null : text);
const stdoutOf = (step: Step) => Buffer.from(step.stdout, step.stdoutEncoding);
const whole = (value: number | null) => (value === null ? null : Math.round(value));

function mean(values: (number | null)[], factor: number): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : (known.reduce((sum, value) => sum + value, 0) / known.length) * factor;
}

function compileOutput(step: Step): Buffer | null {
  if (step.limit === 'wall' || step.limit === 'cpu') return Buffer.from('Compilation time limit exceeded.');
  return filled(bothStreams(step));
}

type End = Pick<Verdict, 'status' | 'message' | 'exitCode' | 'exitSignal'>;

const timedOut = (message: string): End => ({ status: 5, message, exitCode: 0, exitSignal: null });

/** In the words of isolate, which Judge0 shows. */
function howItEnded(step: Step, sent: Sent): End {
  switch (step.limit) {
    case 'wall':
      return timedOut('Time limit exceeded (wall clock)');
    case 'cpu':
      return timedOut('Time limit exceeded');
    // Judge0 writes the output to files, which may grow so far.
    case 'output':
      return killed('SIGXFSZ');
    case 'memory':
      if (step.signal !== null || step.exitCode === null || step.exitCode === 0) return killed('SIGKILL');
      break;
    default:
  }
  if (step.cpuMs !== null && step.cpuMs > sent.settings.cpu_time_limit * 1000)
    return timedOut('Time limit exceeded');
  if (step.signal !== null) return killed(step.signal);
  const exitCode = step.exitCode ?? 0;
  if (exitCode !== 0)
    return { status: 11, message: `Exited with error status ${exitCode}`, exitCode, exitSignal: null };
  const output = sent.settings.redirect_stderr_to_stdout ? bothStreams(step) : stdoutOf(step);
  const right = sent.expectedOutput === null || trimmed(sent.expectedOutput) === trimmed(output);
  return { status: right ? 3 : 4, message: null, exitCode, exitSignal: null };
}

function killed(signal: string): End {
  const number = (constants.signals as Record<string, number>)[signal] ?? 0;
  return {
    status: statusOfSignal(signal),
    message: `Caught fatal signal ${number}`,
    exitCode: 0,
    exitSignal: number,
  };
}

function statusOfSignal(signal: string): StatusId {
  switch (signal) {
    case 'SIGSEGV':
      return 7;
    case 'SIGXFSZ':
      return 8;
    case 'SIGFPE':
      return 9;
    case 'SIGABRT':
      return 10;
    default:
      return 12;
  }
}

/** Blanks at the ends of lines, and at the end of the text, make no difference. Bytes are compared, whatever they encode. */
function trimmed(text: Buffer): string {
  return text
    .toString('latin1')
    .split('\n')
    .map((line) => line.replace(/[\0\t\v\f\r ]*$/, ''))
    .join('\n')
    .replace(/\n*$/, '');
}
