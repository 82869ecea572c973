import { z } from 'zod';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import type { Sealer } from '../secrets.ts';

export const registryCredentials = z
  .strictObject({
    username: z.string().min(1).max(256),
    password: z.string().min(1).max(8192),
  })
  .meta({ id: 'RegistryCredentials', description: 'Write-only: no answer shows them.' });

export type RegistryCredentials = z.infer<typeof registryCredentials>;

/** The most registries for which a tenant may store credentials. */
const maxRegistries = 100;

export type RegistryStore = ReturnType<typeof createRegistryStore>;

/** Credentials by registry host, stored encrypted. */
export function createRegistryStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  const context = (tenant: string, host: string) => `registry:${tenant}:${host}`;
  return {
    /** False when the tenant has too many. */
    async put(tenant: string, host: string, credentials: RegistryCredentials): Promise<boolean> {
      const key = keys.registries(tenant);
      const known = await redis.hexists(key, host);
      if (known === 0 && (await redis.hlen(key)) >= maxRegistries) return false;
      await redis.hset(key, host, sealer.seal(JSON.stringify(credentials), context(tenant, host)));
      return true;
    },
    async remove(tenant: string, host: string): Promise<boolean> {
      return (await redis.hdel(keys.registries(tenant), host)) === 1;
    },
    async find(tenant: string, host: string): Promise<RegistryCredentials | undefined> {
      const box = await redis.hgetBuffer(keys.registries(tenant), host);
      if (box === null) return undefined;
      return registryCredentials.parse(JSON.parse(sealer.open(box, context(tenant, host))));
    },
  };
}
