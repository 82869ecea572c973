import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { loadVitalScript } from './scripts.ts';

const script = loadVitalScript('free-bytes', 'give-back');

/**
 * Takes out of a tenant's count what no script has taken out: a run whose record is gone, or a service. Once, however often it is called; nothing
 * where it is not counted.
 */
export async function giveBack(
  redis: RedisConnection,
  keys: Keys,
  tenant: string,
  id: string,
): Promise<void> {
  await script(redis, [keys.open, keys.tenantOpen(tenant), keys.tenantBytes(tenant), keys.stats], [id]);
}
