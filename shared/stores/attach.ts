import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { loadScript, text } from './scripts.ts';

/** Input of an attached client, on its way from the gateway to the run's worker. */
export type AttachMessage =
  | { type: 'stdin'; data: Buffer }
  | { type: 'eof' }
  | { type: 'signal'; signal: number }
  | { type: 'resize'; cols: number; rows: number };

export type TakenMessage = { id: string; message: AttachMessage };

/** How many messages of a run's input may be on their way, 1 MiB in all. A sender waits for room. */
export const maxEntries = 64;
export const maxEntryBytes = 16 * 1024;

const pushScript = loadScript('attach-push');

/** The gateway's side. */
export function createAttachInput(redis: RedisConnection, keys: Keys) {
  return {
    /**
     * `full`: the worker has not taken the earlier input yet; try again (`keys.attachRoom` tells when). `ended`: nobody will
     * take the input any more.
     */
    async push(runId: string, message: AttachMessage): Promise<'sent' | 'full' | 'ended'> {
      if (message.type === 'stdin' && message.data.length > maxEntryBytes)
        throw new Error(`input of ${message.data.length} bytes in one entry`);
      const reply = await pushScript(
        redis,
        [keys.run(runId), keys.attach(runId)],
        [maxEntries, ...fieldsOf(message)],
      );
      return text(reply) as 'sent' | 'full' | 'ended';
    },
  };
}

/**
 * The worker's side: the messages after `afterId` (`0`: all that nobody has taken yet), oldest first. Waits up to `blockMs` for
 * the first one. `connection` must be one that may block, and is used for this run only.
 */
export async function readAttach(
  connection: RedisConnection,
  keys: Keys,
  runId: string,
  afterId: string,
  blockMs: number,
): Promise<TakenMessage[]> {
  const reply = (await connection.xreadBuffer(
    'COUNT',
    maxEntries,
    'BLOCK',
    Math.max(1, blockMs),
    'STREAMS',
    keys.attach(runId),
    afterId,
  )) as [Buffer, [Buffer, Buffer[]][]][] | null;
  const entries = reply?.[0]?.[1] ?? [];
  return entries.flatMap(([id, fields]) => {
    const message = messageOf(fields);
    return message === undefined ? [] : [{ id: id.toString('utf8'), message }];
  });
}

/** The worker's side: the latest size of the terminal among the messages that nobody has taken yet. */
export async function sizeWaiting(
  redis: RedisConnection,
  keys: Keys,
  runId: string,
): Promise<{ cols: number; rows: number } | undefined> {
  const entries = await redis.xrangeBuffer(keys.attach(runId), '-', '+', 'COUNT', maxEntries);
  for (const [, fields] of entries.reverse()) {
    const message = messageOf(fields);
    if (message?.type === 'resize') return { cols: message.cols, rows: message.rows };
  }
  return undefined;
}

/** The worker's side: removes messages that were given to the program, and says that there is room again. */
export async function consumeAttach(
  redis: RedisConnection,
  keys: Keys,
  runId: string,
  ids: string[],
): Promise<void> {
  if (ids.length === 0) return;
  await redis.xdel(keys.attach(runId), ...ids);
  await redis.publish(keys.attachRoom(runId), 'room');
}

function fieldsOf(message: AttachMessage): (string | number | Buffer)[] {
  switch (message.type) {
    case 'stdin':
      return ['t', 'stdin', 'd', message.data];
    case 'eof':
      return ['t', 'eof'];
    case 'signal':
      return ['t', 'signal', 'n', message.signal];
    case 'resize':
      return ['t', 'resize', 'c', message.cols, 'r', message.rows];
    default:
      return message satisfies never;
  }
}

function messageOf(fields: Buffer[]): AttachMessage | undefined {
  const values = new Map<string, Buffer>();
  for (let i = 0; i + 1 < fields.length; i += 2)
    values.set((fields[i] as Buffer).toString('utf8'), fields[i + 1] as Buffer);
  const number = (name: string) => Number(values.get(name)?.toString('utf8'));
  const type = values.get('t')?.toString('utf8');
  switch (type) {
    case 'stdin':
      return { type, data: values.get('d') ?? Buffer.alloc(0) };
    case 'eof':
      return { type };
    case 'signal':
      return { type, signal: number('n') };
    case 'resize':
      return { type, cols: number('c'), rows: number('r') };
    default:
      // A newer gateway may send messages that this version does not know.
      return undefined;
  }
}
