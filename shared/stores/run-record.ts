import type { ExitEvent } from '../contracts/events.ts';
import type { ProblemBody } from '../contracts/problem.ts';
import type { Run, Step } from '../contracts/run.ts';
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
  /** The service that it runs in, where it is no container of its own. */
  service?: string;
};

/**
 * What a worker must know of a run to have room and a sandbox for it; nothing of its program. It is in the run's job too:
 * to ask for it first was a round trip of every run.
 */
export type RunOutline = Pick<RunHead, 'id' | 'tenant' | 'createdAt' | 'dueAt'> & RunKind;

/** What runs have in common that one worker can start alike. */
export type RunKind = {
  request: Pick<
    RunRequest,
    'image' | 'language' | 'pull' | 'limits' | 'isolation' | 'network' | 'writable' | 'workdir'
  >;
  firstStep: string;
};

export type StepState = Omit<Step, 'stdout' | 'stderr'>;
export type StoredArtifact = Run['artifacts'][number];

export const compileStep = 'compile';

/** A step that has begun. */
export const newStep = (name: string): StepState => ({
  name,
  status: 'running',
  exitCode: null,
  signal: null,
  limit: null,
  wallMs: null,
  cpuMs: null,
  maxMemoryBytes: null,
});

/** What one attempt has found out so far; always whole, every field in its place. */
export type RunState = {
  image: { reference: string; digest: string | null } | null;
  exitCode: number | null;
  signal: string | null;
  outputTruncated: boolean;
  timings: Run['timings'];
  startedWarm: boolean;
  usage: Run['usage'];
  /** In the order they ran; the output of each is in the run's stream. The first is here as soon as the run is running. */
  steps: StepState[];
  artifacts: StoredArtifact[];
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
  steps: [],
  artifacts: [],
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

/** The fields of a run's hash that make its record, in the order that `parseRecord` takes them. */
export const recordFields = ['head', 'status', 'attempt', 'worker', 'state', 'cancel'] as const;

export function parseRecord(fields: (string | null)[]): RunRecord | undefined {
  const [head, status, attempt, worker, state, cancel] = fields;
  if (!head || !status) return undefined;
  return {
    head: JSON.parse(head) as RunHead,
    status: status as RunStatus,
    attempt: Number(attempt ?? 0),
    worker: worker ?? null,
    state: state ? (JSON.parse(state) as RunState) : emptyState,
    cancelRequested: cancel !== null && cancel !== undefined,
  };
}

export type Streams = { stdout: Buffer; stderr: Buffer };
/** The output of a run's steps by their names, in order of their first byte; a silent step is not in it. */
export type RunOutput = Map<string, Streams>;

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
  const encoding = encodingOf([...output.values()]);
  const steps = state.steps.map((step) => ({
    // A record of an older version says nothing of it.
    ...newStep(step.name),
    ...step,
    ...encoded(output.get(step.name) ?? silent, encoding),
  }));
  return {
    id: head.id,
    status: record.status,
    exitCode: state.exitCode,
    signal: state.signal,
    ...encoded(ownOutput(state.steps, output), encoding),
    outputEncoding: encoding,
    outputTruncated: state.outputTruncated,
    steps,
    image:
      state.image ??
      (head.request.image === undefined ? null : { reference: head.request.image, digest: null }),
    attempt: record.attempt,
    worker: record.worker,
    timings: state.timings,
    startedWarm: state.startedWarm,
    usage: state.usage,
    artifacts: state.artifacts,
    error: state.error,
    createdAt: head.createdAt,
    startedAt: state.startedAt,
    finishedAt: state.finishedAt,
    metadata: head.request.metadata,
    request: head.request,
  };
}

const silent: Streams = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };

/** What the program itself wrote. What a compiler wrote stands in its step, and here only if that was the end. */
function ownOutput(steps: StepState[], output: RunOutput): Streams {
  const failed = steps.length === 1 && steps[0]?.name === compileStep;
  const parts = [...output].filter(([name]) => failed || name !== compileStep).map(([, streams]) => streams);
  if (parts.length <= 1) return parts[0] ?? silent;
  return {
    stdout: Buffer.concat(parts.map(({ stdout }) => stdout)),
    stderr: Buffer.concat(parts.map(({ stderr }) => stderr)),
  };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type Encoding = Run['outputEncoding'];

/** Text where every byte is valid UTF-8, else base64 for all of it: nothing is lost either way. */
export function encodingOf(all: Streams[]): Encoding {
  try {
    for (const { stdout, stderr } of all) {
      strictUtf8.decode(stdout);
      strictUtf8.decode(stderr);
    }
    return 'utf8';
  } catch {
    return 'base64';
  }
}

function encoded(streams: Streams, encoding: Encoding): { stdout: string; stderr: string } {
  return { stdout: streams.stdout.toString(encoding), stderr: streams.stderr.toString(encoding) };
}
