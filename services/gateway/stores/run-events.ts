import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';
import { readEvents, readOutput, type StoredEvent } from '../../../shared/stores/run-events.ts';
import type { RunOutput } from '../../../shared/stores/run-record.ts';

export function createRunEventStore(redis: RedisConnection, keys: Keys) {
  return {
    /** The oldest events after `afterId`; `0` stands for the beginning. */
    read: (runId: string, afterId: string, count: number): Promise<StoredEvent[]> =>
      readEvents(redis, keys, runId, afterId, count),

    /** The whole output of an attempt. */
    output: (runId: string, attempt: number): Promise<RunOutput> => readOutput(redis, keys, runId, attempt),
  };
}
