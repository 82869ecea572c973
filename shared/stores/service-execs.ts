import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';
import { loadScript } from './scripts.ts';

const note = loadScript('service-exec');

/** A program that runs, or has run, inside a service in addition to the service's own program. */
export type ServiceExecRecord = {
  /** The run that started it. */
  id: string;
  command: string[];
  /** True if the program goes on after that run has ended. */
  detached: boolean;
  startedAt: string;
  /** The process id inside the container; null if it is not known. */
  pid: number | null;
  status: 'running' | 'exited';
  /** Null while the program runs, or if nobody saw it end. */
  exitCode: number | null;
  /** The engine's id for this exec, while it runs. */
  engineExec: string | null;
  /** When its container was started. The program ends at the latest with the container. */
  containerStartedAt: string | null;
};

/** How many ended detached programs are kept for each service. */
export const keptEndedExecs = 50;
/** How many may run in a service at once. */
export const maxDetachedExecs = 64;

export type ServiceExecStore = ReturnType<typeof createServiceExecStore>;

/** The programs inside services. Only the worker that holds the service writes them. They are removed with the service's record. */
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
