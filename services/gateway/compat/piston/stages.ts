import { constants } from 'node:os';
import type { Run, Step } from '../../../../shared/contracts/run.ts';
import { Problem } from '../../../../shared/problems.ts';
import { compileStep } from '../../../../shared/stores/run-record.ts';

/** How a stage ended, in Piston's words. */
export type StageEnd = {
  code: number | null;
  signal: string | null;
  message: string | null;
  /** null: by itself, with 0. RE: with another code. SG: a signal. TO: late. OL, EL: too much on stdout, on stderr. XX: not its own fault. */
  status: 'RE' | 'SG' | 'TO' | 'OL' | 'EL' | 'XX' | null;
};

type Stage = StageEnd & {
  stdout: string;
  stderr: string;
  /** Both, in the order in which they came. */
  output: string;
  /** Bytes. */
  memory: number | null;
  /** ms */
  cpu_time: number | null;
  wall_time: number | null;
};

type StepFacts = Pick<Step, 'status' | 'exitCode' | 'signal' | 'limit'>;

/** @param longer the stream of which there is more: one of the two went over the limit of both */
export function stageEnd(
  step: StepFacts,
  error: Run['error'],
  longer: 'stdout' | 'stderr' = 'stdout',
): StageEnd {
  const killed = (status: StageEnd['status'], message: string) => ({
    code: null,
    signal: 'SIGKILL',
    message,
    status,
  });
  switch (step.status) {
    case 'succeeded':
      return { code: 0, signal: null, message: null, status: null };
    case 'timed_out':
      return killed('TO', step.limit === 'cpu' ? 'Time limit exceeded' : 'Time limit exceeded (wall clock)');
    case 'output_limit':
      return killed(longer === 'stdout' ? 'OL' : 'EL', `${longer} length exceeded`);
    case 'failed':
    case 'out_of_memory':
      return step.signal === null
        ? {
            code: step.exitCode,
            signal: null,
            message: `Exited with error status ${step.exitCode}`,
            status: 'RE',
          }
        : { code: null, signal: step.signal, message: signalMessage(step.signal), status: 'SG' };
    default:
      return {
        code: null,
        signal: null,
        message: error?.detail ?? `The run was ${step.status}`,
        status: 'XX',
      };
  }
}

function signalMessage(signal: string): string {
  const number = (constants.signals as Record<string, number>)[signal];
  return `Caught fatal signal ${number ?? signal}`;
}

/** The answer to `POST /execute`. Throws a Problem where the run did not end through a fault that is not the program's, and may pass. */
export function stagesOf(run: Run): { run: Stage; compile?: Stage } {
  const compile = run.steps.find(({ name }) => name === compileStep);
  const main = run.steps.find(({ name }) => name !== compileStep);
  if (run.status === 'expired') throw new Problem('overloaded', 'No worker took the program in time.');
  if (run.status === 'errored' && (run.error?.status ?? 500) >= 500)
    throw run.error === null ? new Problem('internal', 'The run was lost.') : Problem.fromBody(run.error);
  const compiled = compile && stageOf(compile, run.error);
  const ran = main === undefined ? compiled : stageOf(main, run.error);
  return { run: ran ?? notStarted(run), ...(compiled && { compile: compiled }) };
}

function stageOf(step: Step, error: Run['error']): Stage {
  const stdout = textOf(step.stdout, step.stdoutEncoding);
  const stderr = textOf(step.stderr, step.stderrEncoding);
  return {
    stdout,
    stderr,
    output: step.output === undefined ? stdout + stderr : textOf(step.output, step.outputEncoding ?? 'utf8'),
    ...stageEnd(step, error, step.stdout.length >= step.stderr.length ? 'stdout' : 'stderr'),
    memory: step.maxMemoryBytes,
    cpu_time: wholeMs(step.cpuMs),
    wall_time: wholeMs(step.wallMs),
  };
}

const notStarted = ({ status, error }: Run): Stage => ({
  stdout: '',
  stderr: '',
  output: '',
  ...stageEnd({ status, exitCode: null, signal: null, limit: null }, error),
  memory: null,
  cpu_time: null,
  wall_time: null,
});

/** Piston has text only: bytes that are none become U+FFFD. */
const textOf = (text: string, encoding: 'utf8' | 'base64') =>
  encoding === 'utf8' ? text : Buffer.from(text, 'base64').toString();

const wholeMs = (ms: number | null) => (ms === null ? null : Math.round(ms));
