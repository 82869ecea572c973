import {
  exitEvent,
  outputEvent,
  pullEvent,
  type RunEventType,
  statusEvent,
} from '../../../shared/contracts/events.ts';
import { type Run, run as runSchema } from '../../../shared/contracts/run.ts';
import { maskRequest, type RunRequest } from '../../../shared/contracts/run-request.ts';
import { isTerminal, type RunStatus } from '../../../shared/run-states.ts';
import type { StubContext } from './stub-answers.ts';

export type ScriptedEvent = { type: RunEventType; data: object };
export type Script = {
  events: ScriptedEvent[];
  /** Numbers of events after which the connection breaks, once each. */
  dropAfter?: number[];
  /** Wait for a cancel before the last event. */
  hold?: boolean;
  record?: Partial<Run>;
};
export type StubRun = {
  record: Run;
  script: Script;
  cancelled: Promise<void>;
  cancel: () => void;
  release: () => void;
};

const schemas = {
  status: statusEvent,
  pull: pullEvent,
  stdout: outputEvent,
  stderr: outputEvent,
  exit: exitEvent,
};
export const policy = {
  limits: {
    timeoutMs: 3_600_000,
    memoryBytes: 2 ** 40,
    cpus: 256,
    pids: 4096,
    outputBytes: 2 ** 24,
    diskBytes: 2 ** 40,
  },
  allowWritable: true,
  allowEgress: true,
  registries: [],
};

const at = '2026-11-03T10:00:00.000Z';

export const status = (state: RunStatus, attempt = 1): ScriptedEvent => ({
  type: 'status',
  data: { status: state, attempt, at },
});
export const stdout = (data: string, encoding: 'utf8' | 'base64' = 'utf8'): ScriptedEvent => ({
  type: 'stdout',
  data: { data, encoding },
});
export const stderr = (data: string, encoding: 'utf8' | 'base64' = 'utf8'): ScriptedEvent => ({
  type: 'stderr',
  data: { data, encoding },
});
export const pull = (
  state: 'pulling' | 'done',
  layers: unknown[] = [],
  reference = 'busybox:latest',
): ScriptedEvent => ({
  type: 'pull',
  data: { reference, status: state, layers },
});
export const exit = (state: RunStatus, more: Record<string, unknown> = {}): ScriptedEvent => ({
  type: 'exit',
  data: {
    status: state,
    exitCode: null,
    signal: null,
    attempt: 1,
    outputTruncated: false,
    error: null,
    finishedAt: at,
    ...more,
  },
});

let made = 0;

export function newRun(request: RunRequest, script: Script): StubRun {
  // What the CLI is shown is what the contract allows, or the test itself is at fault.
  for (const { type, data } of script.events) schemas[type].parse({ type, ...data });
  made += 1;
  const gate = Promise.withResolvers<void>();
  const end = script.events.at(-1);
  const final = end?.type === 'exit' ? exitEvent.parse({ type: end.type, ...end.data }) : undefined;
  const record = runSchema.parse({
    id: `run_${String(made).padStart(32, '0')}`,
    status: script.hold || !final ? 'running' : final.status,
    exitCode: final?.exitCode ?? null,
    signal: final?.signal ?? null,
    stdout: '',
    stderr: '',
    outputEncoding: 'utf8',
    outputTruncated: false,
    steps: [],
    image: { reference: request.image ?? '', digest: null },
    attempt: 1,
    worker: 'wrk_1',
    timings: { queuedMs: 1, pullMs: 0, startMs: 20, runMs: 30, totalMs: 51 },
    startedWarm: false,
    usage: { cpuMs: null, maxMemoryBytes: null },
    artifacts: [],
    error: final?.error ?? null,
    createdAt: at,
    startedAt: at,
    finishedAt: final && isTerminal(final.status) ? at : null,
    metadata: request.metadata,
    request: maskRequest(withSecret(request)),
    ...script.record,
  });
  return {
    record,
    script: { ...script },
    cancelled: gate.promise,
    cancel: gate.resolve,
    release: gate.resolve,
  };
}

export const madeSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

const withSecret = (request: RunRequest): RunRequest =>
  request.webhook ? { ...request, webhook: { secret: madeSecret, ...request.webhook } } : request;

/** The first answer, as the gateway has it: with the secret that it made where the request named none. */
export function withMadeSecret(record: Run, { webhook }: RunRequest): Run {
  if (webhook === undefined || webhook.secret !== undefined) return record;
  return { ...record, request: { ...record.request, webhook: { ...webhook, secret: madeSecret } } };
}

/** The run's events after `Last-Event-ID`, ids as Redis streams make them; after `exit` the stream ends. */
export function answerEvents(c: StubContext, { script, cancelled }: StubRun): Response {
  const last = c.req.header('last-event-id');
  const from = last === undefined ? 0 : Number(last.split('-')[1]) + 1;
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    start: async (controller) => {
      controller.enqueue(encoder.encode(': heartbeat\n\n'));
      for (let index = from; index < script.events.length; index += 1) {
        const event = script.events[index];
        if (script.hold && index === script.events.length - 1) await cancelled;
        const data = JSON.stringify({ type: event?.type, ...event?.data });
        controller.enqueue(
          encoder.encode(`event: ${event?.type}\nid: 1790000000000-${index}\ndata: ${data}\n\n`),
        );
        if (script.dropAfter?.includes(index)) {
          script.dropAfter = script.dropAfter.filter((drop) => drop !== index);
          // Half an event more, as a real break leaves behind.
          controller.enqueue(encoder.encode('event: stdout\ndata: {"data":"half'));
          setTimeout(() => c.env.incoming.socket.destroy(), 20);
          return;
        }
      }
      if (script.events.at(-1)?.type === 'exit') controller.close();
    },
  });
  return c.body(body, 200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
}
