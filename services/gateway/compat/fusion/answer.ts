import { constants } from 'node:os';
import type { Run, Step } from '../../../../shared/contracts/run.ts';
import { compileStep } from '../../../../shared/stores/run-record.ts';

type CommandResult = {
  status: 'Finished' | 'TimeLimitExceeded';
  /** In seconds. */
  execution_time: number;
  /** Of a signal N: -N. Null: it was stopped when its time was over. */
  return_code: number | null;
  stdout: string;
  stderr: string;
};

/** What `POST /run_code` answers, always with 200. */
export type RunCodeAnswer = {
  status: 'Success' | 'Failed' | 'SandboxError';
  message: string;
  compile_result: CommandResult | null;
  run_result: CommandResult | null;
  executor_pod_name: null;
  /** The bytes of `fetch_files` in base64, by the paths as they were asked for. */
  files: Record<string, string>;
};

export const sandboxError = (message: string): RunCodeAnswer => ({
  status: 'SandboxError',
  message,
  compile_result: null,
  run_result: null,
  executor_pod_name: null,
  files: {},
});

/** The end of a run in SandboxFusion's words. Pure; without the files. */
export function answerOf(run: Run): RunCodeAnswer {
  const detail = run.error?.detail ?? '';
  const ended = run.steps.filter(({ exitCode }) => exitCode !== null);
  if (['errored', 'cancelled', 'expired'].includes(run.status) || ended.length === 0)
    return sandboxError(detail || `The run was ${run.status}.`);
  const compile = ended.find(({ name }) => name === compileStep);
  const program = ended.find(({ name }) => name !== compileStep);
  return {
    status: run.status === 'succeeded' ? 'Success' : 'Failed',
    // Being late has a status of its own. What SandboxFusion does not know is said in a sentence.
    message: run.error?.code === 'wall_limit' ? '' : detail,
    compile_result: compile === undefined ? null : resultOf(compile),
    run_result: program === undefined ? null : resultOf(program),
    executor_pod_name: null,
    files: {},
  };
}

function resultOf(step: Step): CommandResult {
  const late = step.limit === 'wall';
  return {
    status: late ? 'TimeLimitExceeded' : 'Finished',
    execution_time: (step.wallMs ?? 0) / 1000,
    return_code: late ? null : step.signal === null ? step.exitCode : -numberOf(step.signal),
    stdout: textOf(step.stdout, step.stdoutEncoding),
    stderr: textOf(step.stderr, step.stderrEncoding),
  };
}

/** A signal without a name is called by its number: `SIG34`. */
const numberOf = (signal: string): number =>
  constants.signals[signal as NodeJS.Signals] ?? (Number(signal.slice(3)) || constants.signals.SIGKILL);

/** SandboxFusion knows only text: bytes that are none become U+FFFD. */
const textOf = (output: string, encoding: 'utf8' | 'base64'): string =>
  encoding === 'utf8' ? output : Buffer.from(output, 'base64').toString('utf8');
