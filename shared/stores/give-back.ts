import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { loadVitalScript } from './scripts.ts';

const script = loadVitalScript('free-bytes', 'give-back');

/**
 * Removes a run whose record is gone, or a service, from its tenant's quota, if it is still counted there. A second call does
 * nothing.
 */
export async function giveBack(
  redis: RedisConnection,
  keys: Keys,
  tenant: string,
  id: string,
): Promise<void> {
  await script(redis, [keys.open, keys.tenantOpen(tenant), keys.tenantBytes(tenant), keys.stats], [id]);
}
