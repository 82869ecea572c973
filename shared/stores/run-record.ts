import type { ExitEvent } from '../contracts/events.ts';
import type { ProblemBody } from '../contracts/problem.ts';
import type { Run } from '../contracts/run.ts';
import type { RunRequest } from '../contracts/run-request.ts';
import type { RunStatus, TerminalStatus } from '../run-states.ts';

/** What never changes once a run is stored. Secrets are masked. */
export type RunHead = {
  id: string;
  tenant: string;
  createdAt: string;
  /** When the run may start, in ms since the epoch: `createdAt` + `delayMs`. */
  dueAt: number;
  request: RunRequest;
};

/** What one attempt has found out so far; always whole, every field in its place. */
export type RunState = {
  image: { reference: string; digest: string | null } | null;
  exitCode: number | null;
  signal: string | null;
  outputTruncated: boolean;
  timings: Run['timings'];
  startedWarm: boolean;
  usage: Run['usage'];
  error: ProblemBody | null;
  startedAt: string | null;
  finishedAt: string | null;
};

export const emptyState: RunState = {
  image: null,
  exitCode: null,
  signal: null,
  outputTruncated: false,
  timings: { queuedMs: null, pullMs: null, startMs: null, runMs: null, totalMs: null },
  startedWarm: false,
  usage: { cpuMs: null, maxMemoryBytes: null },
  error: null,
  startedAt: null,
  finishedAt: null,
};

export type RunRecord = {
  head: RunHead;
  status: RunStatus;
  attempt: number;
  worker: string | null;
  state: RunState;
  cancelRequested: boolean;
};

export type RunOutput = { stdout: Buffer; stderr: Buffer };

/** The last event of a run, made of its state. */
export function exitEventOf(status: TerminalStatus, attempt: number, state: RunState): ExitEvent {
  return {
    status,
    attempt,
    exitCode: state.exitCode,
    signal: state.signal,
    outputTruncated: state.outputTruncated,
    error: state.error,
    finishedAt: state.finishedAt ?? new Date().toISOString(),
  };
}

/** The run as every answer shows it. */
export function presentRun(record: RunRecord, output: RunOutput): Run {
  const { head, state } = record;
  const { stdout, stderr, encoding } = encodeOutput(output);
  const began = state.startedAt !== null;
  return {
    id: head.id,
    status: record.status,
    exitCode: state.exitCode,
    signal: state.signal,
    stdout,
    stderr,
    outputEncoding: encoding,
    outputTruncated: state.outputTruncated,
    steps: began
      ? [
          {
            name: 'run',
            status: record.status,
            exitCode: state.exitCode,
            signal: state.signal,
            stdout,
            stderr,
            wallMs: state.timings.runMs,
            ...state.usage,
          },
        ]
      : [],
    image:
      state.image ??
      (head.request.image === undefined ? null : { reference: head.request.image, digest: null }),
    attempt: record.attempt,
    worker: record.worker,
    timings: state.timings,
    startedWarm: state.startedWarm,
    usage: state.usage,
    artifacts: [],
    error: state.error,
    createdAt: head.createdAt,
    startedAt: state.startedAt,
    finishedAt: state.finishedAt,
    metadata: head.request.metadata,
    request: head.request,
  };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text where every byte of both streams is valid UTF-8, else base64 for both: nothing is lost either way. */
export function encodeOutput(output: RunOutput): {
  stdout: string;
  stderr: string;
  encoding: 'utf8' | 'base64';
} {
  try {
    return {
      stdout: strictUtf8.decode(output.stdout),
      stderr: strictUtf8.decode(output.stderr),
      encoding: 'utf8',
    };
  } catch {
    return {
      stdout: output.stdout.toString('base64'),
      stderr: output.stderr.toString('base64'),
      encoding: 'base64',
    };
  }
}
