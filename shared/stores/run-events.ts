import type { OutputEvent, RunEventType } from '../contracts/events.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { encodingOf } from '../utf8.ts';
import { onlyStep, type RunOutput } from './run-record.ts';

/** One entry of a run's stream. `id` is made by Redis (`ms-n`) and always grows. `Last-Event-ID` carries it. */
export type StoredEvent = {
  id: string;
  type: RunEventType;
  attempt: number;
  /** For output: the step that wrote it. */
  step: string;
  data: Buffer;
};

const isOutput = (type: string) => type === 'stdout' || type === 'stderr';

/** The event's data as SSE and WebSocket send it: JSON text. */
export function eventJson(event: StoredEvent): string {
  if (!isOutput(event.type)) return event.data.toString('utf8');
  const encoding = encodingOf(event.data);
  const step = event.step === onlyStep ? {} : { step: event.step };
  return JSON.stringify({ data: event.data.toString(encoding), encoding, ...step } satisfies OutputEvent);
}

/**
 * The events after `afterId` (exclusive; `0` for all), oldest first, at most `count`. A chunk of output is at most
 * 64 KiB, so a page is bounded in bytes too.
 */
export async function readEvents(
  redis: RedisConnection,
  keys: Keys,
  runId: string,
  afterId: string,
  count: number,
): Promise<StoredEvent[]> {
  const entries = await redis
    .xrangeBuffer(keys.events(runId), `(${afterId}`, '+', 'COUNT', count)
    .catch((error: Error) => {
      // The value at this key is not a stream. The run can be shown without events; its end makes a new stream (run-fault.ts).
      if (error.message.startsWith('WRONGTYPE')) return [];
      throw error;
    });
  return entries.map(parseEntry);
}

function parseEntry([id, fields]: [Buffer, Buffer[]]): StoredEvent {
  const values = new Map<string, Buffer>();
  for (let i = 0; i + 1 < fields.length; i += 2) {
    values.set((fields[i] as Buffer).toString('utf8'), fields[i + 1] as Buffer);
  }
  return {
    id: id.toString('utf8'),
    type: (values.get('t')?.toString('utf8') ?? 'status') as RunEventType,
    attempt: Number(values.get('a')?.toString('utf8') ?? '0'),
    step: values.get('s')?.toString('utf8') ?? onlyStep,
    data: values.get('d') ?? Buffer.alloc(0),
  };
}

/** Gathers output from events, by step. */
export function outputCollector(attempt: number) {
  const steps = new Map<string, { stdout: Buffer[]; stderr: Buffer[]; inOrder: Buffer[] }>();
  return {
    add(event: StoredEvent): void {
      if (event.attempt !== attempt || (event.type !== 'stdout' && event.type !== 'stderr')) return;
      let chunks = steps.get(event.step);
      if (chunks === undefined) {
        chunks = { stdout: [], stderr: [], inOrder: [] };
        steps.set(event.step, chunks);
      }
      chunks[event.type].push(event.data);
      chunks.inOrder.push(event.data);
    },
    output(): RunOutput {
      const whole = (chunks: Buffer[]) =>
        chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      return new Map(
        [...steps].map(([name, { stdout, stderr, inOrder }]) => [
          name,
          { stdout: whole(stdout), stderr: whole(stderr), inOrder },
        ]),
      );
    },
  };
}

/** All the output of one attempt, in order. */
export async function readOutput(
  redis: RedisConnection,
  keys: Keys,
  runId: string,
  attempt: number,
): Promise<RunOutput> {
  const collector = outputCollector(attempt);
  let after = '0';
  for (;;) {
    const page = await readEvents(redis, keys, runId, after, 256);
    for (const event of page) collector.add(event);
    const last = page.at(-1);
    if (last === undefined || page.length < 256) return collector.output();
    after = last.id;
  }
}
