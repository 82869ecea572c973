import { randomBytes } from 'node:crypto';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';

/** The name of this Runlet. The first program makes it; all programs with the same Redis and prefix share it. */
export async function claimInstance(redis: RedisConnection, keys: Keys): Promise<string> {
  await redis.set(keys.instance, randomBytes(6).toString('hex'), 'NX');
  return (await redis.get(keys.instance)) ?? '';
}
