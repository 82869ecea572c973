import { Cluster } from 'ioredis';
import type { RedisConnection } from '../../../shared/redis.ts';

/** In bytes. `maxBytes`: 0 where Redis has no limit. */
export type RedisMemory = { usedBytes: number; maxBytes: number };

export type RedisServer = ReturnType<typeof createRedisServer>;

/** What Redis says of itself (INFO). Both throw where that is forbidden. */
export function createRedisServer(redis: RedisConnection) {
  return {
    /** As in `7.0.15`. */
    async version(): Promise<string> {
      const info = await redis.info('server');
      return /(?:valkey|redis)_version:([^\r\n]+)/.exec(info)?.[1] ?? 'unknown';
    },

    /** Of a cluster the node that has the least room left: all our keys are on one node (keys.ts), and it may be that one. */
    async memory(): Promise<RedisMemory> {
      const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis];
      const all = await Promise.all(nodes.map(async (node) => parseMemory(await node.info('memory'))));
      const left = ({ usedBytes, maxBytes }: RedisMemory) =>
        maxBytes === 0 ? Infinity : maxBytes - usedBytes;
      return all.reduce(
        (least, one) => (left(one) < left(least) ? one : least),
        all[0] ?? { usedBytes: 0, maxBytes: 0 },
      );
    },
  };
}

function parseMemory(info: string): RedisMemory {
  const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  // Buffers for replicas and the append-only file do not count against the limit.
  const usedBytes = Math.max(0, number('used_memory') - number('mem_not_counted_for_evict'));
  return { usedBytes, maxBytes: number('maxmemory') };
}
