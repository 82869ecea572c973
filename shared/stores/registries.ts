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

/** As they are kept: sealed with them, since when. Those of earlier releases do not say. */
const kept = z.object({ ...registryCredentials.shape, updatedAt: z.string().optional() });

export type RegistryCredentials = z.infer<typeof registryCredentials>;

/** What may be shown of credentials. `username`: null where they cannot be opened, for RUNLET_SECRET_KEY was changed since. */
type RegistryLogin = { host: string; username: string | null; updatedAt: string | null };

/** The most registries for which a tenant may store credentials. */
const maxRegistries = 100;

export type RegistryStore = ReturnType<typeof createRegistryStore>;

/** Credentials by registry host, stored encrypted. */
export function createRegistryStore(redis: RedisConnection, keys: Keys, sealer: Sealer) {
  const context = (tenant: string, host: string) => `registry:${tenant}:${host}`;
  const opened = (tenant: string, host: string, box: Buffer) =>
    kept.parse(JSON.parse(sealer.open(box, context(tenant, host))));

  function login(tenant: string, host: string, box: Buffer): RegistryLogin {
    try {
      const { username, updatedAt } = opened(tenant, host, box);
      return { host, username, updatedAt: updatedAt ?? null };
    } catch {
      return { host, username: null, updatedAt: null };
    }
  }

  return {
    /** False when the tenant has too many. */
    async put(tenant: string, host: string, credentials: RegistryCredentials): Promise<boolean> {
      const key = keys.registries(tenant);
      const known = await redis.hexists(key, host);
      if (known === 0 && (await redis.hlen(key)) >= maxRegistries) return false;
      const text = JSON.stringify({ ...credentials, updatedAt: new Date().toISOString() });
      await redis.hset(key, host, sealer.seal(text, context(tenant, host)));
      return true;
    },
    async remove(tenant: string, host: string): Promise<boolean> {
      return (await redis.hdel(keys.registries(tenant), host)) === 1;
    },
    async find(tenant: string, host: string): Promise<RegistryCredentials | undefined> {
      const box = await redis.hgetBuffer(keys.registries(tenant), host);
      if (box === null) return undefined;
      const { username, password } = opened(tenant, host, box);
      return { username, password };
    },
    /** All of a tenant's, without their passwords. */
    async list(tenant: string): Promise<RegistryLogin[]> {
      const boxes = await redis.hgetallBuffer(keys.registries(tenant));
      return Object.entries(boxes).map(([host, box]) => login(tenant, host, box));
    },
  };
}
