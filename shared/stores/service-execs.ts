import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { loadScript } from './scripts.ts';

const note = loadScript('service-exec');

/** A program that runs inside a service beside its own, or has run. */
export type ServiceExecRecord = {
  /** The run that started it. */
  id: string;
  command: string[];
  /** It outlives that run. */
  detached: boolean;
  startedAt: string;
  /** By its container's numbers; null: not known. */
  pid: number | null;
  status: 'running' | 'exited';
  /** Null while it runs; and where nobody saw it end. */
  exitCode: number | null;
  /** The engine's name for it, while it runs. */
  engineExec: string | null;
  /** The start of the container that it ends with. */
  containerStartedAt: string | null;
};

/** How many ended detached programs are kept for each service. */
export const keptEndedExecs = 50;
/** How many may run in a service at once. */
export const maxDetachedExecs = 64;

export type ServiceExecStore = ReturnType<typeof createServiceExecStore>;

/** The programs inside of services. Only the worker that holds a service writes; they go with the service's record. */
export function createServiceExecStore(redis: RedisConnection, keys: Keys) {
  return {
    /** The newest first. */
    async list(service: string): Promise<ServiceExecRecord[]> {
      const found = await redis.hvals(keys.serviceExecs(service));
      return found
        .map((text) => JSON.parse(text) as ServiceExecRecord)
        .sort((a, b) => (a.id < b.id ? 1 : -1));
    },

    /** Stores nothing if the service is gone. */
    async put(service: string, exec: ServiceExecRecord): Promise<void> {
      await note(redis, [keys.service(service), keys.serviceExecs(service)], [exec.id, JSON.stringify(exec)]);
    },

    async drop(service: string, ids: string[]): Promise<void> {
      if (ids.length > 0) await redis.hdel(keys.serviceExecs(service), ...ids);
    },
  };
}
