import type { PullLayer } from '../contracts/events.ts';
import type { ProblemBody } from '../contracts/problem.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';

/** What a worker reports about an operation on images. Each worker ends with `done`. */
export type OperationEvent =
  | { kind: 'pull'; worker: string; reference: string; layers: PullLayer[] }
  | {
      kind: 'log';
      worker: string;
      stream: 'stdout' | 'stderr';
      data: string;
      encoding: 'utf8' | 'base64';
      at: string;
    }
  | { kind: 'done'; worker: string; digest: string | null; removed?: boolean; error: ProblemBody | null };

const keptMs = 3_600_000;
const maxEntries = 10_000;

export type OperationStore = ReturnType<typeof createOperationStore>;

/** Streams of operations that are not runs (pulling and removing images), kept for an hour. */
export function createOperationStore(redis: RedisConnection, keys: Keys) {
  return {
    async append(operation: string, event: OperationEvent): Promise<void> {
      const key = keys.operation(operation);
      await redis
        .multi()
        .xadd(key, 'MAXLEN', '~', maxEntries, '*', 'd', JSON.stringify(event))
        .pexpire(key, keptMs)
        .publish(keys.wake(operation), 'more')
        .exec();
    },

    /** Marks that somebody reads the stream for the next `ms`. A worker that writes only while there are readers then goes on. */
    async readBy(operation: string, ms: number): Promise<void> {
      await redis.set(`${keys.operation(operation)}:read`, '1', 'PX', ms);
    },

    async isRead(operation: string): Promise<boolean> {
      return (await redis.exists(`${keys.operation(operation)}:read`)) === 1;
    },

    async read(operation: string, afterId: string): Promise<{ id: string; event: OperationEvent }[]> {
      const entries = await redis.xrange(keys.operation(operation), `(${afterId}`, '+', 'COUNT', 100);
      return entries.map(([id, fields]) => ({
        id,
        event: JSON.parse(fields[1] ?? 'null') as OperationEvent,
      }));
    },
  };
}
