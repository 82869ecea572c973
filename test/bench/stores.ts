import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { sealerFor } from '../../shared/secrets.ts';
import type { Runlet } from '../support/runlet.ts';

/** What the stores of a Runlet are made of, past its gateway; whoever takes it disconnects. */
export function storesOf({ env, prefix }: Runlet) {
  const redis = connectRedis(env.RUNLET_REDIS_URL ?? '', 'loop', createLog('bench', 'silent'));
  return { redis, keys: keysFor(prefix), sealer: sealerFor(env.RUNLET_SECRET_KEY ?? '') };
}
