import type { OutputEvent, RunEventType } from '../contracts/events.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { encodeOutput, type RunOutput } from './run-record.ts';

/** One entry of a run's stream. `id` is Redis's own (`ms-n`), ever growing: it is what `Last-Event-ID` carries. */
export type StoredEvent = { id: string; type: RunEventType; attempt: number; data: Buffer };

const isOutput = (type: string) => type === 'stdout' || type === 'stderr';

/** The event's data as SSE and WebSocket send it: JSON text. */
export function eventJson(event: StoredEvent): string {
  if (!isOutput(event.type)) return event.data.toString('utf8');
  const { stdout: data, encoding } = encodeOutput({ stdout: event.data, stderr: Buffer.alloc(0) });
  return JSON.stringify({ data, encoding } satisfies OutputEvent);
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
  const entries = await redis.xrangeBuffer(keys.events(runId), `(${afterId}`, '+', 'COUNT', count);
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
    data: values.get('d') ?? Buffer.alloc(0),
  };
}

/** All the output of one attempt, in order. `most` bytes of each stream at most (for previews). */
export async function readOutput(
  redis: RedisConnection,
  keys: Keys,
  runId: string,
  attempt: number,
  most = Number.POSITIVE_INFINITY,
): Promise<RunOutput & { cut: boolean }> {
  const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
  const sizes = { stdout: 0, stderr: 0 };
  let cut = false;
  let after = '0';
  for (;;) {
    const page = await readEvents(redis, keys, runId, after, 256);
    for (const event of page) {
      if (event.attempt !== attempt) continue;
      if (event.type !== 'stdout' && event.type !== 'stderr') continue;
      const room = most - sizes[event.type];
      if (event.data.length > room) cut = true;
      const piece = event.data.length > room ? event.data.subarray(0, Math.max(room, 0)) : event.data;
      sizes[event.type] += piece.length;
      chunks[event.type].push(piece);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < 256 || (cut && sizes.stdout >= most && sizes.stderr >= most))
      break;
    after = last.id;
  }
  return { stdout: Buffer.concat(chunks.stdout), stderr: Buffer.concat(chunks.stderr), cut };
}
