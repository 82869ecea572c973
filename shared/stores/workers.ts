import type { Image, Worker } from '../contracts/worker.ts';
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../redis.ts';

/** How often a worker reports that it is alive. A worker that was not heard from for `lifeMs` counts as dead. */
export const heartbeatMs = 2_000;
const lifeMs = 8_000;
/** How long it may take a worker to start. From its first heartbeat on, `lifeMs` counts. */
const startMs = 60_000;
/** The most images that a worker's list holds; below it, the limit for its waiting commands. */
export const maxListedImages = 500;
const maxCommands = 256;

export type WorkerCommand =
  | { kind: 'pull'; operation: string; tenant: string; reference: string }
  | { kind: 'remove-image'; operation: string; tenant: string; reference: string }
  | { kind: 'drain' }
  /** It takes runs again. It reports that it does, or that it is shutting down. */
  | { kind: 'undrain'; operation: string }
  /** What is wanted has changed for a service that this worker holds, or is to hold. */
  | { kind: 'service'; service: string }
  /** A run inside a service that this worker holds. */
  | { kind: 'exec'; run: string; service: string; detached?: boolean }
  /** The worker looks at the programs inside a service, and stores their state. */
  | { kind: 'service-execs'; operation: string; service: string }
  | { kind: 'service-logs'; operation: string; service: string; tail: number; follow: boolean }
  | {
      kind: 'service-file';
      operation: string;
      service: string;
      act: 'read' | 'write' | 'remove';
      path: string;
      blob: string;
    }
  /** Nobody waits for this operation any more. */
  | { kind: 'leave'; operation: string }
  | { kind: 'remove-volume'; operation: string; volume: string };

type LocalImage = Omit<Image, 'workers'>;

export type WorkerStore = ReturnType<typeof createWorkerStore>;

/** The register of workers, and the commands on their way to them. */
export function createWorkerStore(redis: RedisConnection, keys: Keys) {
  return {
    /** @param registries what the worker may call in addition to public addresses: entries of a policy (registries/policy.ts). */
    async beat(worker: Worker, images: LocalImage[], registries: string[] = []): Promise<void> {
      await redis
        .multi()
        .hset(keys.worker(worker.id), {
          worker: JSON.stringify(worker),
          images: JSON.stringify(images.slice(0, maxListedImages)),
          registries: JSON.stringify(registries),
        })
        .pexpire(keys.worker(worker.id), lifeMs)
        .zadd(keys.workers, Date.now(), worker.id)
        .zremrangebyscore(keys.workers, 0, Date.now() - 3_600_000)
        .exec();
    },

    /** A worker that is starting, and has no heartbeat yet, is alive: what it makes meanwhile is not an orphan. */
    async announce(id: string): Promise<void> {
      await redis.multi().hset(keys.worker(id), 'starting', '1').pexpire(keys.worker(id), startMs).exec();
    },

    async leave(id: string): Promise<void> {
      await redis.del(keys.worker(id), keys.commands(id));
      await redis.zrem(keys.workers, id);
    },

    async alive(id: string): Promise<boolean> {
      return (await redis.exists(keys.worker(id))) === 1;
    },

    /** When the worker was last heard from, in ms. `undefined`: it left, or was not heard from for an hour. */
    async lastSeen(id: string): Promise<number | undefined> {
      const score = await redis.zscore(keys.workers, id);
      return score === null ? undefined : Number(score);
    },

    async list(): Promise<Worker[]> {
      return (await this.listWithImages()).map((entry) => entry.worker);
    },

    async listWithImages(): Promise<{ worker: Worker; images: LocalImage[] }[]> {
      const ids = await redis.zrange(keys.workers, '0', '-1');
      const entries = await Promise.all(ids.map((id) => redis.hmget(keys.worker(id), 'worker', 'images')));
      return entries.flatMap(([worker, images]) =>
        worker
          ? [{ worker: JSON.parse(worker) as Worker, images: JSON.parse(images ?? '[]') as LocalImage[] }]
          : [],
      );
    },

    /** What all live workers together may call in addition to public addresses. */
    async registries(): Promise<string[]> {
      const ids = await redis.zrange(keys.workers, '0', '-1');
      const entries = await Promise.all(ids.map((id) => redis.hget(keys.worker(id), 'registries')));
      return entries.flatMap((entry) => JSON.parse(entry ?? '[]') as string[]);
    },

    /** Leaves a command for a worker and wakes it. If the worker dies, its commands are lost. */
    async send(id: string, command: WorkerCommand): Promise<void> {
      const list = keys.commands(id);
      await redis
        .multi()
        .rpush(list, JSON.stringify(command))
        .ltrim(list, -maxCommands, -1)
        .pexpire(list, 60_000)
        .publish(keys.workerWake(id), 'command')
        .exec();
    },

    async take(id: string): Promise<WorkerCommand | undefined> {
      for (;;) {
        const taken = await redis.lpop(keys.commands(id));
        if (taken === null) return undefined;
        try {
          return JSON.parse(taken) as WorkerCommand;
        } catch {
          // Nobody could carry out this command. It is skipped, so that the commands after it are not delayed.
        }
      }
    },
  };
}
