import type { ExitEvent } from '../contracts/events.ts';
import type { ProblemBody } from '../contracts/problem.ts';
import type { Run, Step } from '../contracts/run.ts';
import type { RunRequest } from '../contracts/run-request.ts';
import { madeAt } from '../ids.ts';
import type { RunStatus, TerminalStatus } from '../run-states.ts';
import { encodingOf } from '../utf8.ts';

/** What stands of a request in plain: what runs are placed, listed, filtered and ended by. The rest is sealed (run-parts.ts). */
export const plainFields = [
  'image',
  'language',
  'workdir',
  'limits',
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
  /** What must be known of the rest. Not there in a head of an earlier version, in which `request` is whole. */
  told?: { firstStep: string; artifacts: boolean };
  /** The service that it runs in, where it is no container of its own. */
  service?: string;
};

/** The request, secrets masked, where an earlier version wrote all of it into the head. */
export const requestInHead = ({ request, told }: RunHead): RunRequest | undefined =>
  told === undefined ? (request as RunRequest) : undefined;

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

export type StepState = Omit<Step, 'stdout' | 'stderr' | 'stdoutEncoding' | 'stderrEncoding'>;
export type StoredArtifact = Run['artifacts'][number];

export const compileStep = 'compile';
/** The name of the only step of a run, which answers do not show. */
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
});

/** What one attempt has found out so far. Every field is always there. */
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
  /** The whole request, secrets masked, where it was asked for and could be read. */
  request?: RunRequest;
  status: RunStatus;
  attempt: number;
  worker: string | null;
  state: RunState;
  cancelRequested: boolean;
  /** Its head cannot be read: `head` is made from the other fields, and has no request. */
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

/** A record with broken parts is read as well: such a run can be shown, listed, cancelled and forgotten like any other. */
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

/** A head made from what is known without it. `tenant` is '' if it is not known: then the run belongs to nobody. */
export function standIn(id: string, tenant: string, createdAt?: string): RunHead {
  const at = createdOf(id, createdAt);
  // Whoever shows it leaves the request out; whoever forgets it finds no artifacts, and the sweep of blobs does.
  const request = { metadata: {}, priority: 0, retries: 0 } as Partial<PlainRequest> as PlainRequest;
  const told = { firstStep: onlyStep, artifacts: false };
  return { id, tenant, createdAt: at, dueAt: Date.parse(at), request, told };
}

/** When a run was made, by its own id where nothing else says so. */
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
    steps: state.steps.map((step) => presentStep(step, output.get(step.name) ?? silent)),
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

/** Each of its streams by itself: a program that writes an image to stdout still complains in plain text. */
function presentStep(step: StepState, { stdout, stderr }: Streams): Step {
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
  };
}
