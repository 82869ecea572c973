import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, inject, onTestFinished, test } from 'vitest';
import { createDockerEngine } from '../../../services/worker/engine/docker/docker-engine.ts';
import { claimUserBlock } from '../../../services/worker/node/user-block.ts';
import { createRunUsers } from '../../../services/worker/sandbox/users/run-users.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { createUserBlockStore } from '../../../shared/stores/user-blocks.ts';
import '../../support/lab.ts';

const lab = inject('lab');
const log = createLog('test', 'silent');
const redis = connectRedis(lab.redisUrl, 'loop', log);
const engine = createDockerEngine({ dockerHost: lab.dockerHost });
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const store = createUserBlockStore(redis, keys);
afterAll(async () => {
  const left = await redis.keys(`${keys.base}*`);
  if (left.length > 0) await redis.del(...left);
  await closeRedis(redis);
  engine.close();
});

/** Always the same: from its name follows the first block, which must have a next one. */
const instance = 'user-blocks';

async function worker(workerId: string, namespaced = false, renewMs = 10_000) {
  const users = createRunUsers(undefined);
  const block = await claimUserBlock({
    otherUsers: async () => [],
    store,
    engine,
    namespaced,
    instance,
    workerId,
    users,
    log,
    renewMs,
  });
  onTestFinished(() => block.leave());
  return { users, block, first: () => users.example().uid };
}

test('a block is one worker’s while it says so, and runs out when it says no more', async () => {
  expect(await store.claim(7, 'a')).toBe(true);
  expect(await store.claim(7, 'b')).toBe(false);
  expect(await store.renew(7, 'a')).toBe(true);
  expect(await store.renew(7, 'b')).toBe(false);
  expect(await redis.pttl(keys.userBlock(7))).toBeGreaterThan(50_000);
  await store.leave(7, 'b');
  expect(await store.claim(7, 'b')).toBe(false);
  await store.leave(7, 'a');
  // As after a Redis that lost what it had.
  expect(await store.renew(7, 'b')).toBe(true);
  expect(await store.claim(7, 'a')).toBe(false);
  // The other tests’ workers find it free.
  await store.leave(7, 'b');
});

test.each([
  ['on the machine', false, 4_000],
  ['in a user namespace', true, 1_000],
])('workers have blocks side by side %s', async (_, namespaced, size) => {
  const [one, two] = [await worker('one', namespaced), await worker('two', namespaced)];
  expect(Math.abs(two.first() - one.first())).toBe(size);
  await one.block.leave();
  expect((await worker('three', namespaced)).first()).toBe(one.first());
});

test('a worker with users in use leaves them to nobody at once', async () => {
  const one = await worker('one');
  await one.users.take();
  await one.block.leave();
  expect((await worker('two')).first()).not.toBe(one.first());
});

test('a worker whose block has become another’s takes another one', async () => {
  const one = await worker('one', false, 10);
  const before = one.first();
  for (const name of await redis.keys(`${keys.base}:user-block:*`))
    if ((await redis.get(name)) === 'one') await redis.set(name, 'another', 'PX', 60_000);
  while (one.first() === before) await sleep(10);
});
