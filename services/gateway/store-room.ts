import type { Log } from '../../shared/log.ts';
import { Problem } from '../../shared/problems.ts';
import type { GatewayEnvironment } from './environment.ts';
import type { RedisMemory, RedisServer } from './stores/redis-server.ts';

/** Of Redis's `maxmemory`: above this nothing new is taken, so that what is under way has the rest for its output, ends and deliveries. */
const fullShare = 0.75;
/** Above this, ended runs are forgotten before their time (janitor/retention.ts), so that the limit above is not reached. */
const shortShare = 0.7;
/** The share that requests may take, so that results, streams and jobs have room as well. */
const systemShare = 1 / 4;
const tenantShare = 1 / 8;

/** Redis is asked again when its answer is older than this. What was taken since then is added. */
const freshMs = 1_000;
/** What a run takes beside its request: its record, events, job and index entries. */
const besideBytes = 8 * 1024;

/**
 * How much room there is in Redis, whoever uses it. It is asked now and then, in the background, so that no request waits for it. Redis itself
 * refuses every write at its limit, the ends of runs and the jobs of other runs included.
 */
export function createStoreRoom(
  server: Pick<RedisServer, 'memory'>,
  env: Pick<GatewayEnvironment, 'RUNLET_TENANT_MAX_BYTES' | 'RUNLET_MAX_OPEN_BYTES'>,
  log: Log,
) {
  let memory: RedisMemory = { usedBytes: 0, maxBytes: 0 };
  let takenSince = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let looking: Promise<RedisMemory> | undefined;
  let silent = false;

  function look(): Promise<RedisMemory> {
    looking ??= lookNow().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  async function lookNow(): Promise<RedisMemory> {
    lookedAt = performance.now();
    const takenBefore = takenSince;
    try {
      memory = await server.memory();
      // What was taken while we asked may not be in the answer, and still counts.
      takenSince -= takenBefore;
      silent = false;
    } catch (error) {
      // Some operators forbid INFO: then only Redis itself can refuse.
      if (!silent) log.warn({ reason: (error as Error).message }, 'Redis does not tell its memory');
      silent = true;
      takenSince = 0;
    }
    return memory;
  }

  const within = (bytes: number, share: number) =>
    memory.maxBytes === 0 ? bytes : Math.min(bytes, Math.floor(memory.maxBytes * share));
  const isAbove = (bytes: number, share: number) => memory.maxBytes > 0 && bytes > memory.maxBytes * share;

  return {
    look,

    /**
     * Takes room for a request of so many bytes. Throws a Problem `overloaded` if there is none, but only after asking Redis
     * again, so that other requests need no round trip.
     */
    async take(bytes: number): Promise<void> {
      if (performance.now() - lookedAt > freshMs) void look();
      const all = bytes + besideBytes;
      const lacks = () => isAbove(memory.usedBytes + takenSince + all, fullShare);
      if (lacks()) await look();
      if (lacks())
        throw new Problem(
          'overloaded',
          'Redis is nearly full, and the rest of its memory is for what is under way: try again later. Its operator gives it more (maxmemory), or keeps less (RUNLET_RETENTION_BYTES).',
          { retryAfterSeconds: 5 },
        );
      takenSince += all;
    },

    /** By Redis's last answer. */
    isShort: () => isAbove(memory.usedBytes, shortShare),

    tenantBytes: () => within(env.RUNLET_TENANT_MAX_BYTES, tenantShare),
    systemBytes: () => within(env.RUNLET_MAX_OPEN_BYTES, systemShare),
  };
}
