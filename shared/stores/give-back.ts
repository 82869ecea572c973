import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { loadVitalScript } from './scripts.ts';

const script = loadVitalScript('free-bytes', 'give-back');

/**
 * Takes a run whose record is gone, or a service, out of its tenant's quota, if it still counts there. May be called again: the second
 * call does nothing.
 */
export async function giveBack(
  redis: RedisConnection,
  keys: Keys,
  tenant: string,
  id: string,
): Promise<void> {
  await script(redis, [keys.open, keys.tenantOpen(tenant), keys.tenantBytes(tenant), keys.stats], [id]);
}
