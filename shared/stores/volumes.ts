import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';

export type StoredVolume = { name: string; engine: string; createdAt: string };

/** The name of a tenant's volume on its engine. */
export const engineVolumeName = (instance: string, tenant: string, name: string) =>
  `runlet-vol-${instance}-${tenant}-${name}`;

/** Tenants' named volumes, and the engine that has each. */
export function createVolumeStore(redis: RedisConnection, keys: Keys) {
  return {
    /** The engine that has the volume. If no engine has it yet, it is recorded as being on this one. */
    async place(tenant: string, name: string, engine: string): Promise<string> {
      const entry = JSON.stringify({ engine, createdAt: new Date().toISOString() });
      await redis.hsetnx(keys.volumes(tenant), name, entry);
      return (await this.find(tenant, name))?.engine ?? engine;
    },
    async find(tenant: string, name: string): Promise<StoredVolume | undefined> {
      const entry = await redis.hget(keys.volumes(tenant), name);
      return entry === null ? undefined : { name, ...(JSON.parse(entry) as Omit<StoredVolume, 'name'>) };
    },
    async list(tenant: string): Promise<StoredVolume[]> {
      const all = await redis.hgetall(keys.volumes(tenant));
      return Object.entries(all).map(([name, entry]) => ({
        name,
        ...(JSON.parse(entry) as Omit<StoredVolume, 'name'>),
      }));
    },
    async forget(tenant: string, name: string): Promise<boolean> {
      return (await redis.hdel(keys.volumes(tenant), name)) === 1;
    },
  };
}
