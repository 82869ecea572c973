import type { Keys } from '../../../shared/keys.ts';
import type { RedisConnection } from '../../../shared/redis.ts';

/** The numbers that all programs keep in Redis: for the metrics. */
export function createFigureStore(redis: RedisConnection, keys: Keys) {
  return {
    /** Counters by name, as scripts and stores write them: numbers as text. */
    counters: (): Promise<Record<string, string>> => redis.hgetall(keys.stats),

    async runs(now = Date.now()): Promise<{ open: number; due: number; ended: number }> {
      const [open, due, ended] = await Promise.all([
        redis.zcard(keys.open),
        redis.zcount(keys.open, '-inf', now),
        redis.zcard(keys.finished),
      ]);
      return { open, due, ended };
    },
  };
}
