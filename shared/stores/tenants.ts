import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';

/** The tenants that have an API key, and `default`, which always exists. A record that cannot be read belongs to nobody. */
export async function knownTenants(redis: RedisConnection, keys: Keys): Promise<Set<string>> {
  const records = await redis.hvals(keys.apiKeys);
  return new Set(['default', ...records.flatMap((record) => tenantOf(record) ?? [])]);
}

function tenantOf(record: string): string | undefined {
  try {
    const { keyId, tenant } = JSON.parse(record) as { keyId?: unknown; tenant?: unknown };
    return typeof keyId === 'string' && typeof tenant === 'string' ? tenant : undefined;
  } catch {
    // Not JSON, or null.
    return undefined;
  }
}
