import type { Identity } from '../../../shared/stores/api-keys.ts';
import type { Gateway } from '../gateway.ts';

/** The tenants that have a key, and the first one, who always is. */
export async function knownTenants(gateway: Gateway): Promise<Set<string>> {
  const identities = await gateway.redis.hvals(gateway.keys.apiKeys);
  return new Set(['default', ...identities.map((text) => (JSON.parse(text) as Identity).tenant)]);
}
