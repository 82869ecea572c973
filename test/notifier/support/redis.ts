import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { connectRedis } from '../../../shared/redis.ts';

/** A connection of the test's own, and the keys of one Runlet. */
export function redisOf(url: string, prefix: string) {
  const redis = connectRedis(url, 'loop', createLog('test', 'silent'));
  return { redis, keys: keysFor(prefix) };
}
