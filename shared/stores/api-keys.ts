import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { digestOf } from '../secrets.ts';

export type Identity = { keyId: string; tenant: string; role: 'admin' | 'user' };

export type ApiKeyStore = ReturnType<typeof createApiKeyStore>;

/** API keys by digest: the key itself is stored nowhere. */
export function createApiKeyStore(redis: RedisConnection, keys: Keys) {
  return {
    async put(apiKey: string, identity: Identity): Promise<void> {
      await redis.hset(keys.apiKeys, digestOf(apiKey), JSON.stringify(identity));
    },
    /** Puts the key only where there is none at all: of two gateways that start at once, one makes the key. */
    async putFirst(apiKey: string, identity: Identity): Promise<boolean> {
      const reply = await redis.eval(
        "if redis.call('HLEN', KEYS[1]) > 0 then return 0 end redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return 1",
        1,
        keys.apiKeys,
        digestOf(apiKey),
        JSON.stringify(identity),
      );
      return reply === 1;
    },
    async find(apiKey: string): Promise<Identity | undefined> {
      const found = await redis.hget(keys.apiKeys, digestOf(apiKey));
      return found === null ? undefined : (JSON.parse(found) as Identity);
    },
  };
}

/** The tenants that have a key, and the first one, who always is. */
export async function knownTenants(redis: RedisConnection, keys: Keys): Promise<Set<string>> {
  const identities = await redis.hvals(keys.apiKeys);
  return new Set([
    'default',
    ...identities.flatMap((text) => {
      try {
        return (JSON.parse(text) as Identity).tenant;
      } catch {
        // It opens nothing; the others are known all the same.
        return [];
      }
    }),
  ]);
}
