import { randomBytes } from 'node:crypto';
import { type Job, Queue, Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { createRunQueue } from '../../../services/gateway/run-queue.ts';
import { newId } from '../../../shared/ids.ts';
import { keysFor, runQueueName } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { outlineOf } from '../../../shared/run-plan.ts';
import { sealerFor } from '../../../shared/secrets.ts';
import { jobKeys } from '../../../shared/stores/run-jobs.ts';
import { emptyState } from '../../../shared/stores/run-record.ts';
import { createRunStore } from '../../../shared/stores/runs.ts';
import { runRequest } from '../../support/run-request.ts';

// What our scripts do to the queue of runs, beside what BullMQ does: a new version of it that does otherwise shows here.
const log = createLog('test', 'silent');
const redis = connectRedis(inject('lab').redisUrl, 'loop', log);
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const store = createRunStore(redis, keys, sealerFor('a key of the test’s own'));
const jobs = jobKeys(keys);
const bullmq = { connection: redis, prefix: keys.bull };
const gateway = createRunQueue(redis, keys, log);
const queue = new Queue(runQueueName, bullmq);
const worker = new Worker(runQueueName, null, { ...bullmq, autorun: false, lockDuration: 10_000 });

beforeAll(() => Promise.all([gateway.open(), worker.waitUntilReady()]));
afterEach(async () => {
  const all = await redis.keys(`${keys.base}*`);
  if (all.length > 0) await redis.del(...all);
});
afterAll(async () => {
  await Promise.all([gateway.close(), queue.close(), worker.close(true)]);
  await closeRedis(redis);
});

const bounds = { maxTenantRuns: 50, maxRuns: 50, maxDeliveries: 50 };
function run(priority: number) {
  const request = runRequest.parse({ image: 'busybox', priority });
  const now = Date.now();
  const id = newId('run');
  const head = { id, tenant: 'default', createdAt: new Date(now).toISOString(), dueAt: now };
  return { id, head, request, outline: outlineOf({ ...head, request }) };
}

async function byUs(priority = 0): Promise<string> {
  const { id, head, request, outline } = run(priority);
  await store.create(head, request, bounds, { job: { id, outline } });
  return id;
}

async function byBullMq(priority = 0): Promise<string> {
  const { id, head, request, outline } = run(priority);
  await store.create(head, request, bounds);
  await gateway.add({ id, outline, priority, delayMs: 0 });
  return id;
}

/** What is in the queue, but for what only BullMQ itself writes and nobody reads. */
async function queued(): Promise<string[]> {
  const names = await redis.keys(`${jobs.job('*')}`);
  const own = ['meta', 'events', 'id', 'pc'].map(jobs.job);
  return names.filter((name) => !own.includes(name)).sort();
}

const seen = ({ name, data, priority, delay, opts }: Job) => ({
  name,
  priority,
  delay,
  outline: { ...data.outline, id: '', createdAt: '', dueAt: 0 },
  opts: [opts.attempts, opts.removeOnComplete, opts.removeOnFail],
});

test('a job that is stored with its run is as one that BullMQ adds', async () => {
  const [mine, theirs] = [await byUs(7), await byBullMq(7)];
  const [a, b] = (await Promise.all([queue.getJob(mine), queue.getJob(theirs)])) as [Job, Job];
  expect(seen(a)).toEqual(seen(b));
  expect(a.data.id).toBe(mine);
  expect(await queue.getJobCounts('prioritized')).toEqual({ prioritized: 2 });
});

const take = (token: string, name = 'w1', most = 1) =>
  store.take({ token, lockMs: 10_000, worker: name, starts: [], now: 1, most });

test('both keep one order: the priority, then the time', async () => {
  const ids = [await byUs(), await byBullMq(), await byUs(5), await byBullMq(5), await byUs()];
  const order = [ids[2], ids[3], ids[0], ids[1], ids[4]];
  expect(await redis.zrange(jobs.prioritized, '0', '-1')).toEqual(order);
  const got: (string | undefined)[] = [];
  for (let i = 0; i < 5; i += 1) {
    if (i % 2 === 0) got.push((await worker.getNextJob(`t${i}`, { block: false }))?.id);
    else {
      const taken = await take(`t${i}`);
      got.push(taken.outcome === 'taken' ? taken.jobs[0]?.id : taken.outcome);
    }
  }
  expect(got).toEqual(order);
});

test('a job that was taken is held as by BullMQ, which renews its lock and can give it back', async () => {
  const [mine, theirs] = [await byUs(), await byBullMq()];
  await take('mine');
  await worker.getNextJob('theirs', { block: false });
  expect(await redis.lrange(jobs.active, 0, -1)).toEqual([theirs, mine]);
  expect(await redis.mget(jobs.lock(mine), jobs.lock(theirs))).toEqual(['mine', 'theirs']);
  expect(await redis.pttl(jobs.lock(mine))).toBeGreaterThan(5_000);
  expect(await worker.extendJobLocks([mine, theirs], ['mine', 'theirs'], 20_000)).toEqual([]);
  expect(await redis.pttl(jobs.lock(mine))).toBeGreaterThan(10_000);
  await (await queue.getJob(mine))?.moveToWait('mine');
  expect(await redis.zrange(jobs.prioritized, '0', '-1')).toEqual([mine]);
  expect(await redis.exists(jobs.lock(mine))).toBe(0);
});

test('while more are there a marker wakes the next who waits, and no more after the last', async () => {
  for (let i = 0; i < 2; i += 1) await byUs();
  for (const left of [1, 0]) {
    await redis.del(jobs.marker);
    await take(`t${left}`);
    expect(await redis.zcard(jobs.marker)).toBe(left);
  }
});

test('of a job that ended with its run as little is left as BullMQ leaves', async () => {
  const finish = (id: string, token?: string) =>
    store.finish(
      { runId: id, tenant: 'default', attempt: 0, worker: '' },
      'succeeded',
      emptyState,
      0,
      '',
      undefined,
      token,
    );
  const id = await byUs();
  await take('mine');
  await redis.del(jobs.marker);
  await redis.sadd(jobs.stalled, id);
  expect(await finish(id, 'mine')).toBe(true);
  expect(await queued()).toEqual([]);
  // Somebody else's by now.
  const other = await byUs();
  await take('theirs', 'w2');
  expect(await finish(other, 'mine')).toBe(true);
  expect(await redis.lrange(jobs.active, 0, -1)).toEqual([other]);
  expect(await store.dropJob(other, 'mine')).toBe('lost');
  expect(await store.dropJob(other, 'theirs')).toBe('ended');
  expect(await redis.keys(`${jobs.job(other)}*`)).toEqual([]);
});

test('jobs whose time has come are BullMQ’s to move, before all others', async () => {
  await gateway.add({ id: 'late', priority: 0, delayMs: 60_000 });
  const id = await byUs();
  expect(await take('t1')).toMatchObject({ outcome: 'taken', jobs: [{ id }] });
  expect(await take('t2')).toEqual({ outcome: 'none', someDelayed: true });
  await redis.zadd(jobs.delayed, Date.now() * 0x1000, 'late');
  expect(await take('t3')).toEqual({ outcome: 'due' });
  expect((await worker.getNextJob('t4', { block: false }))?.id).toBe('late');
});
