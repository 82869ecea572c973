import type { ExitEvent } from '../contracts/events.ts';
import type { ProblemBody } from '../contracts/problem.ts';
import type { Run, Step } from '../contracts/run.ts';
import type { RunRequest } from '../contracts/run-request.ts';
import { madeAt } from '../ids.ts';
import type { RunStatus, TerminalStatus } from '../run-states.ts';
import { encodingOf } from '../utf8.ts';

/** The plain part of a request: what is needed to place, list, filter and end runs. The rest is sealed (run-parts.ts). */
export const plainFields = [
  'image',
  'language',
  'workdir',
  'limits',
  'compileLimits',
  'network',
  'isolation',
  'pull',
  'interactive',
  'tty',
  'cols',
  'rows',
  'writable',
  'priority',
  'delayMs',
  'retries',
  'metadata',
] as const satisfies (keyof RunRequest)[];

export type PlainRequest = Pick<RunRequest, (typeof plainFields)[number]>;

/** What never changes once a run is stored. */
export type RunHead = {
  id: string;
  tenant: string;
  createdAt: string;
  /** When the run may start, in ms since the epoch: `createdAt` + `delayMs`. */
  dueAt: number;
  request: PlainRequest;
  /** What must be known of the sealed rest. Absent in a head of an earlier version: there `request` is the whole request. */
  told?: { firstStep: string; artifacts: boolean; judging?: boolean };
  /** The service in which the run's program runs, if the run has no container of its own. */
  service?: string;
};

/** The request (secrets masked), if an earlier version wrote all of it into the head. */
export const requestInHead = ({ request, told }: RunHead): RunRequest | undefined =>
  told === undefined ? (request as RunRequest) : undefined;

/**
 * What a worker must know about a run to have room and a sandbox for it, and nothing about its program. The run's job contains
 * it too: asking for it first cost each run a round trip.
 */
export type RunOutline = Pick<RunHead, 'id' | 'tenant' | 'createdAt' | 'dueAt'> & RunKind;

/** Runs with the same values here can be started by a worker in the same way. */
export type RunKind = {
  request: Pick<
    RunRequest,
    'image' | 'language' | 'pull' | 'limits' | 'isolation' | 'network' | 'writable' | 'workdir'
  >;
  firstStep: string;
};

export type StepState = Omit<
  Step,
  'stdout' | 'stderr' | 'output' | 'stdoutEncoding' | 'stderrEncoding' | 'outputEncoding'
>;
export type StoredArtifact = Run['artifacts'][number];

export const compileStep = 'compile';
/** The name of the step of a run that has only one. Answers do not show it. */
export const onlyStep = 'run';

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
  verdict: null,
  difference: null,
});

/** The results of one attempt so far. Every field is always present. */
export type RunState = {
  image: { reference: string; digest: string | null } | null;
  exitCode: number | null;
  signal: string | null;
  outputTruncated: boolean;
  timings: Run['timings'];
  startedWarm: boolean;
  usage: Run['usage'];
  /**
   * In the order in which they ran; the output of each is in the run's stream. The first step is here as soon as the run is
   * `running`.
   */
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
  /** The whole request (secrets masked), if it was asked for and could be read. */
  request?: RunRequest;
  status: RunStatus;
  attempt: number;
  worker: string | null;
  state: RunState;
  cancelRequested: boolean;
  /** The head cannot be read. `head` is then made from the other fields, and has no request. */
  unreadable?: true;
};

/** The fields of a run's hash that make its record, in the order that `parseRecord` takes them. */
export const recordFields = [
  'head',
  'status',
  'attempt',
  'worker',
  'state',
  'cancel',
  'tenant',
  'createdAt',
] as const;

/** Reads a record with broken parts too: such a run can be shown, listed, cancelled and forgotten like any other. */
export function parseRecord(id: string, fields: (string | null)[]): RunRecord | undefined {
  const [head, status, attempt, worker, state, cancel, tenant, createdAt] = fields;
  if (!status) return undefined;
  const read = parseHead(id, head);
  const request = read && requestInHead(read);
  return {
    head: read ?? standIn(id, tenant || '', createdAt || undefined),
    ...(request && { request }),
    status: status as RunStatus,
    attempt: Number(attempt ?? 0) || 0,
    worker: worker ?? null,
    state: parseState(state),
    cancelRequested: cancel !== null && cancel !== undefined,
    ...(read === undefined && { unreadable: true }),
  };
}

/** `undefined` if the text is not a head of this run. */
export function parseHead(id: string, text: string | null | undefined): RunHead | undefined {
  const head = parseObject(text);
  const { tenant, createdAt, dueAt, request, told } = head ?? {};
  const whole =
    head?.id === id &&
    typeof tenant === 'string' &&
    typeof createdAt === 'string' &&
    typeof dueAt === 'number' &&
    isObject(request) &&
    isObject(request.metadata) &&
    (isObject(told) ? typeof told.firstStep === 'string' : Array.isArray(request.artifacts));
  return whole ? (head as RunHead) : undefined;
}

/** A head made from what is known without the stored head. `tenant` is '' if it is not known: then the run belongs to nobody. */
export function standIn(id: string, tenant: string, createdAt?: string): RunHead {
  const at = createdOf(id, createdAt);
  // When the run is shown, its request is left out. When it is forgotten, no artifacts are found here; the sweep of blobs removes
  // them.
  const request = { metadata: {}, priority: 0, retries: 0 } as Partial<PlainRequest> as PlainRequest;
  const told = { firstStep: onlyStep, artifacts: false };
  return { id, tenant, createdAt: at, dueAt: Date.parse(at), request, told };
}

/** When a run was made. Its own id tells it if the record does not. */
export function createdOf(id: string, stored: string | null | undefined): string {
  if (stored && Number.isFinite(Date.parse(stored))) return stored;
  const made = madeAt(id);
  return new Date(Number.isFinite(made) ? made : 0).toISOString();
}

/** The stored state; the empty one if it cannot be read. */
export function parseState(text: string | null | undefined): RunState {
  const state = parseObject(text);
  const whole =
    isObject(state?.timings) &&
    isObject(state.usage) &&
    Array.isArray(state.steps) &&
    Array.isArray(state.artifacts);
  return whole ? (state as RunState) : emptyState;
}

function parseObject(text: string | null | undefined): Record<string, unknown> | undefined {
  if (!text) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type Streams = { stdout: Buffer; stderr: Buffer };
/** `inOrder`: the pieces of both streams in the order in which they came. */
export type StepOutput = Streams & { inOrder: Buffer[] };
/** The output of a run's steps by their names, in order of their first byte; a silent step is not in it. */
export type RunOutput = Map<string, StepOutput>;

/** The last event of a run, made from its state. */
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

/** What an answer shows of a run besides the usual. */
export type Shown = {
  /** Each step's `output`. */
  output?: boolean;
};

/** The run as every answer shows it. */
export function presentRun(record: RunRecord, output: RunOutput, shown: Shown = {}): Run {
  const { head, state } = record;
  const own = ownOutput(state.steps, output);
  const encoding = encodingOf(own.stdout, own.stderr);
  return {
    id: head.id,
    status: record.status,
    exitCode: state.exitCode,
    signal: state.signal,
    stdout: own.stdout.toString(encoding),
    stderr: own.stderr.toString(encoding),
    outputEncoding: encoding,
    outputTruncated: state.outputTruncated,
    steps: state.steps.map((step) => presentStep(step, output.get(step.name) ?? silent, shown)),
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
    // If the payload cannot be opened, the plain part is shown.
    request: record.unreadable ? {} : (record.request ?? head.request),
  };
}

const silent: StepOutput = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), inOrder: [] };

/**
 * The output of the program itself. The compiler's output is in its step; it is here only if the run ended with the compile
 * step, and a judge skipped the others.
 */
function ownOutput(steps: StepState[], output: RunOutput): Streams {
  const failed =
    steps[0]?.name === compileStep && steps.slice(1).every(({ verdict }) => verdict === 'skipped');
  const parts = [...output].filter(([name]) => failed || name !== compileStep).map(([, streams]) => streams);
  if (parts.length <= 1) return parts[0] ?? silent;
  return {
    stdout: Buffer.concat(parts.map(({ stdout }) => stdout)),
    stderr: Buffer.concat(parts.map(({ stderr }) => stderr)),
  };
}

/** Each stream has its own encoding: if a program writes an image to stdout, its errors on stderr are still plain text. */
function presentStep(step: StepState, { stdout, stderr, inOrder }: StepOutput, shown: Shown): Step {
  const stdoutEncoding = encodingOf(stdout);
  const stderrEncoding = encodingOf(stderr);
  return {
    // A record of an older version does not have all of it.
    ...newStep(step.name),
    ...step,
    stdout: stdout.toString(stdoutEncoding),
    stderr: stderr.toString(stderrEncoding),
    stdoutEncoding,
    stderrEncoding,
    ...(shown.output && presentBoth(inOrder)),
  };
}

function presentBoth(pieces: Buffer[]): Pick<Step, 'output' | 'outputEncoding'> {
  const both = Buffer.concat(pieces);
  const outputEncoding = encodingOf(both);
  return { output: both.toString(outputEncoding), outputEncoding };
}
