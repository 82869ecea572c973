import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import {
  batchOf,
  blockAt,
  createRunUsers,
  hostUsers,
  type Lease,
  namespaceUsers,
  parseUser,
} from '../../../../services/worker/sandbox/users/run-users.ts';

const removed = async () => {};
const uids = (leases: (Lease | undefined)[]) => leases.map((lease) => lease?.user.uid);

function usersOf(size: number, options = {}) {
  const users = createRunUsers(undefined, options);
  users.use({ first: 5_000, size });
  return users;
}

const takeAll = async (users: ReturnType<typeof usersOf>, count: number): Promise<Lease[]> => {
  const all: Lease[] = [];
  for (let taken = 0; taken < count; taken += 1) all.push(await users.take());
  return all;
};

describe('users of sandboxes', () => {
  test('are each one sandbox’s, with a group of the same number', async () => {
    const leases = await takeAll(usersOf(200), 200);
    expect(new Set(uids(leases)).size).toBe(200);
    for (const { user } of leases) {
      expect(user.gid).toBe(user.uid);
      expect(user.uid).toBeGreaterThanOrEqual(5_000);
      expect(user.uid).toBeLessThan(5_200);
    }
  });

  test('are given to another when the first’s container is gone, and not before', async () => {
    const users = usersOf(1);
    const lease = await users.take();
    const gone = Promise.withResolvers<void>();
    const ended = lease.end(() => gone.promise);
    const leaving = new AbortController();
    const early = users.take(leaving.signal);
    leaving.abort(new Error('did not wait'));
    await expect(early).rejects.toThrow('did not wait');
    const next = users.take();
    gone.resolve();
    await ended;
    expect((await next).user).toEqual(lease.user);
  });

  test('stay taken while a removal fails, which is tried again until it does not', async () => {
    const users = usersOf(1, { removeAgainMs: 1 });
    const lease = await users.take();
    let tries = 0;
    const remove = async () => {
      tries += 1;
      if (tries < 4) throw new Error('the engine is away');
    };
    await expect(lease.end(remove)).rejects.toThrow('the engine is away');
    const next = await users.take();
    expect({ tries, uid: next.user.uid }).toEqual({ tries: 4, uid: lease.user.uid });
  });

  test('are given back once, however often their sandbox is removed', async () => {
    const users = usersOf(2);
    const [first] = await takeAll(users, 2);
    await first?.end(removed);
    await first?.end(removed);
    await users.take();
    const leaving = new AbortController();
    const none = users.take(leaving.signal);
    leaving.abort(new Error('none left'));
    await expect(none).rejects.toThrow('none left');
  });

  test('that are all in use are waited for, first come first served, and in the end it is no fault of the run', async () => {
    const users = usersOf(1, { maxWaitMs: 200 });
    const lease = await users.take();
    const order: string[] = [];
    const first = users.take().then((got) => {
      order.push('first');
      return got;
    });
    const second = users.take().then((got) => {
      order.push('second');
      return got;
    });
    await sleep(1);
    await lease.end(removed);
    await (await first).end(removed);
    await second;
    expect(order).toEqual(['first', 'second']);
    await expect(users.take()).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.stringContaining('Try again later, or start another worker.'),
    });
  });

  test('are left to runs when they become few', async () => {
    const users = usersOf(16);
    const spare = Array.from({ length: 16 }, () => users.spare());
    expect(spare.filter((lease) => lease !== undefined)).toHaveLength(14);
    await takeAll(users, 2);
  });

  test('that were used a moment ago are used last, and few are in use at all', async () => {
    const users = usersOf(640);
    const used: number[] = [];
    for (let run = 0; run < 500; run += 1) {
      const lease = await users.take();
      used.push(lease.user.uid);
      await lease.end(removed);
    }
    expect(new Set(used).size).toBe(64);
    expect(used.slice(64)).toEqual(used.slice(0, -64));
  });

  test('of a block that another worker has are not handed out again', async () => {
    const users = usersOf(4);
    const [old] = await takeAll(users, 4);
    users.use({ first: 9_000, size: 4 });
    await old?.end(removed);
    const now = await takeAll(users, 4);
    expect(uids(now).sort()).toEqual([9_000, 9_001, 9_002, 9_003]);
    expect(users.allFree()).toBe(false);
    for (const lease of now) await lease.end(removed);
    expect(users.allFree()).toBe(true);
  });

  test('are one where the operator says so', async () => {
    const user = parseUser('1000:1001');
    const users = createRunUsers(user);
    const leases = [users.spare(), await users.take()];
    expect(leases).toMatchObject([
      { user, batch: [user] },
      { user, batch: [user] },
    ]);
    expect(users.example()).toEqual(user);
  });
});

describe('blocks of users', () => {
  test.each([
    ['of a machine', hostUsers, 1_900_000_000, 2_147_352_575],
    ['of a user namespace', namespaceUsers, 10_000, 60_000],
  ])('%s lie side by side, among numbers that nobody has', (_, range, least, most) => {
    const last = blockAt(range, range.blocks - 1);
    expect(blockAt(range, 1)).toEqual({ first: range.first + range.size, size: range.size });
    expect(range.first).toBeGreaterThanOrEqual(least);
    expect(last.first + last.size - 1).toBeLessThanOrEqual(most);
    // What an engine takes.
    const highest = last.first + last.size - 1;
    expect(parseUser(`${highest}:${highest}`).uid).toBe(highest);
  });

  test('are cut into batches, the last of which may be small', () => {
    const block = { first: 100, size: 70 };
    const of = (uid: number) => batchOf(block, { uid, gid: uid }).map((user) => user.uid);
    expect(of(100)).toHaveLength(64);
    expect(of(163)).toEqual(of(100));
    expect(of(164)).toEqual([164, 165, 166, 167, 168, 169]);
    expect(of(169)).toEqual(of(164));
  });
});

test.each(['0:1', '1:0', 'root', '1000', '1:2:3', '2147483647:1', '99999999999:1', ' 1:1'])(
  'RUNLET_RUN_USER %j is refused',
  (text) => {
    expect(() => parseUser(text)).toThrow('give it as uid:gid in numbers, and not root');
  },
);
