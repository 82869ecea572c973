import { maskRequest, type RunRequest } from '../../shared/contracts/run-request.ts';
import type { Keys } from '../../shared/keys.ts';
import type { RedisConnection } from '../../shared/redis.ts';
import type { Sealer } from '../../shared/secrets.ts';
import { specContext } from '../../shared/stores/run-parts.ts';

/**
 * Gives the record of a stored run the form that an earlier version used. Its head has the whole request with masked secrets. Beside it is
 * the original request, encrypted as a whole. No part of it is counted in bytes.
 */
export async function asEarlierVersion(
  redis: RedisConnection,
  keys: Keys,
  sealer: Sealer,
  id: string,
  request: RunRequest,
): Promise<void> {
  const { told, ...head } = JSON.parse((await redis.hget(keys.run(id), 'head')) ?? '') as {
    told?: unknown;
    tenant: string;
  };
  if (told === undefined) throw new Error('it is of an earlier version already');
  await redis.hdel(keys.run(id), 'payload', 'secrets');
  await redis.hset(keys.run(id), 'head', JSON.stringify({ ...head, request: maskRequest(request) }));
  await redis.set(keys.spec(id), sealer.seal(JSON.stringify(request), specContext(id)));
  const bytes = Number(await redis.hget(keys.tenantBytes(head.tenant), id));
  await redis.hdel(keys.tenantBytes(head.tenant), id);
  await redis.hincrby(keys.tenantBytes(head.tenant), 'total', -bytes);
  if ((await redis.hlen(keys.tenantBytes(head.tenant))) === 1) await redis.del(keys.tenantBytes(head.tenant));
  await redis.hincrby(keys.stats, 'openBytes', -bytes);
}
