import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { newId } from '../../../shared/ids.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { outlineOf } from '../../../shared/run-plan.ts';
import { sealerFor } from '../../../shared/secrets.ts';
import { readEvents, readOutput } from '../../../shared/stores/run-events.ts';
import { emptyState, type RunHead } from '../../../shared/stores/run-record.ts';
import { createRunStore, type Holder } from '../../../shared/stores/runs.ts';
import { asEarlierVersion } from '../../support/earlier-run.ts';
import { runRequest } from '../../support/run-request.ts';

const redis = connectRedis(inject('lab').redisUrl, 'loop', createLog('test', 'silent'));
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const sealer = sealerFor('a key of the test’s own');
const store = createRunStore(redis, keys, sealer);
const bounds = { maxTenantRuns: 5, maxRuns: 8, maxDeliveries: 1_000 };

async function clear(): Promise<void> {
  const all = await redis.keys(`${keys.base}*`);
  if (all.length > 0) await redis.del(...all);
}
beforeEach(clear);
afterAll(async () => {
  await clear();
  await closeRedis(redis);
});

async function create(more: Record<string, unknown> = {}, tenant = 'default'): Promise<string> {
  const request = runRequest.parse({ image: 'busybox', env: { TOKEN: 'very-secret-value' }, ...more });
  const now = new Date();
  const id = newId('run');
  await store.create({ id, tenant, createdAt: now.toISOString(), dueAt: now.getTime() }, request, bounds);
  return id;
}

async function claimed(id: string, worker = 'w1'): Promise<Holder> {
  const claim = await store.claim(id, worker);
  if (claim.verdict !== 'claimed') throw new Error(`expected to claim, got ${claim.verdict}`);
  return { runId: id, tenant: 'default', attempt: claim.attempt, worker };
}
const finish = (holder: Holder, status: 'succeeded' | 'failed' | 'cancelled') =>
  store.finish(
    holder,
    status,
    { ...emptyState, finishedAt: new Date().toISOString() },
    0,
    new Date().toISOString(),
  );

test('what a user wrote is nowhere in Redis in plain, and a secret is gone with the end of the run', async () => {
  const written = { command: ['very-private-word'], stdin: 'very-private-stdin' };
  const id = await create(written);
  const holder = await claimed(id);
  const dump = async () => {
    const parts = await Promise.all((await redis.keys(`${keys.base}*`)).map((key) => redis.dumpBuffer(key)));
    return Buffer.concat(parts.map((part) => part ?? Buffer.alloc(0))).toString('latin1');
  };
  expect(await dump()).not.toMatch(/very-(secret|private)/);
  expect(await redis.hexists(keys.run(id), 'secrets')).toBe(1);
  await finish(holder, 'succeeded');
  expect(await redis.hexists(keys.run(id), 'secrets')).toBe(0);
  expect((await store.readWhole(id))?.request).toMatchObject({ ...written, env: { TOKEN: '***' } });
  expect((await store.read(id))?.request).toBeUndefined();
});

test('of many ends one wins, with one exit event', async () => {
  const id = await create();
  const holder = await claimed(id);
  const wins = await Promise.all(
    Array.from({ length: 20 }, (_, i) => finish(holder, i % 2 === 0 ? 'succeeded' : 'failed')),
  );
  expect(wins.filter(Boolean)).toHaveLength(1);
  const events = await readEvents(redis, keys, id, '0', 100);
  expect(events.filter((event) => event.type === 'exit')).toHaveLength(1);
  expect(await redis.hget(keys.stats, 'duration:count')).toBe('1');
});

test('an attempt that was overtaken can write nothing more', async () => {
  const id = await create({ retries: 1 });
  const first = await claimed(id, 'w1');
  expect(await store.move(first, 'running', emptyState)).toBe('moved');
  const second = await claimed(id, 'w2');
  expect(second.attempt).toBe(2);
  expect(await store.move(first, 'running', emptyState)).toBe('lost');
  expect(await store.append(first, 'o1', [{ type: 'stdout', data: 'ghost' }])).toBe(false);
  expect(await finish(first, 'succeeded')).toBe(false);
  expect(await store.requeue(first)).toBe('lost');
  expect(await store.verdicts([first, second])).toEqual(['lost', 'held']);
  expect(await finish(second, 'succeeded')).toBe(true);
  expect((await readOutput(redis, keys, id, 2)).size).toBe(0);
});

test('a program that may have been started is not started again without retries', async () => {
  const id = await create();
  await store.move(await claimed(id), 'running', emptyState);
  expect((await store.claim(id, 'w2')).verdict).toBe('lost');
});

test('a claim that starts at once is a start: lost, it counts as one; cancelled, it is none', async () => {
  const id = await create();
  const state = { ...emptyState, startedWarm: true };
  expect(await store.claim(id, 'w1', state)).toMatchObject({ verdict: 'claimed', attempt: 1 });
  expect(await store.read(id)).toMatchObject({
    status: 'running',
    worker: 'w1',
    state: { startedWarm: true },
  });
  const events = await readEvents(redis, keys, id, '0', 10);
  expect(events.map(({ data }) => JSON.parse(data.toString()))).toMatchObject([
    { status: 'queued', attempt: 0 },
    { status: 'running', attempt: 1 },
  ]);
  expect((await store.claim(id, 'w2', state)).verdict).toBe('lost');
  const cancelled = await create();
  await store.cancel(cancelled);
  expect((await store.claim(cancelled, 'w1', state)).verdict).toBe('cancelled');
  expect(await store.status(cancelled)).toBe('queued');
});

test('the last output is written with the end, and not twice', async () => {
  const holder = await claimed(await create());
  const entry = { type: 'stdout' as const, step: 'compile', data: 'last' };
  // Sent, and its answer lost: the end brings it again under the same number.
  await store.append(holder, 'o1', [entry]);
  const now = new Date().toISOString();
  const last = { sequence: 'o1', entries: [entry] };
  expect(await store.finish(holder, 'succeeded', emptyState, 4, now, last)).toBe(true);
  const output = await readOutput(redis, keys, holder.runId, 1);
  expect([...output].map(([step, { stdout }]) => [step, stdout.toString()])).toEqual([['compile', 'last']]);
});

test('a program that was never started is, and not for ever', async () => {
  const id = await create();
  const verdicts: string[] = [];
  for (let i = 0; i < 8; i += 1) verdicts.push((await store.claim(id, `w${i}`)).verdict);
  expect(verdicts.slice(0, 5)).toEqual(['claimed', 'claimed', 'claimed', 'claimed', 'claimed']);
  expect(verdicts.at(-1)).toBe('lost');
});

test('requeue keeps to retries', async () => {
  const id = await create({ retries: 1 });
  const first = await claimed(id);
  await store.move(first, 'running', emptyState);
  expect(await store.requeue(first)).toBe('requeued');
  expect(await store.status(id)).toBe('queued');
  const second = await claimed(id);
  await store.move(second, 'running', emptyState);
  expect(await store.requeue(second)).toBe('refused');
});

test('an append that is sent twice is written once', async () => {
  const holder = await claimed(await create());
  for (const sequence of ['o1', 'o1', 'o2', 'o2'])
    expect(await store.append(holder, sequence, [{ type: 'stdout', data: sequence }])).toBe(true);
  expect((await readOutput(redis, keys, holder.runId, 1)).get('run')?.stdout.toString()).toBe('o1o2');
});

test('cancel: a waiting run is the caller’s to end, a held one its worker’s; none starts after it', async () => {
  const waiting = await create();
  expect(await store.cancel(waiting)).toBe('unheld');
  const held = await claimed(await create());
  expect(await store.cancel(held.runId)).toBe('asked');
  expect(await store.move(held, 'running', emptyState)).toBe('cancelled');
  expect(await store.verdicts([held])).toEqual(['cancelled']);
  expect((await store.claim(waiting, 'w1')).verdict).toBe('cancelled');
  await finish(held, 'cancelled');
  expect(await store.cancel(held.runId)).toBe('ended');
  expect(await store.cancel(newId('run'))).toBe('gone');
});

test('quotas: the tenant’s, then the system’s', async () => {
  for (let i = 0; i < 5; i += 1) await create();
  await expect(create()).rejects.toMatchObject({ code: 'quota_exceeded', status: 429 });
  for (let i = 0; i < 3; i += 1) await create({}, 'other');
  await expect(create({}, 'third')).rejects.toMatchObject({ code: 'overloaded', status: 503 });
});

test('what is forgotten leaves nothing but counters', async () => {
  const holder = await claimed(await create());
  expect(await store.forget(holder.runId, 'default')).toBe('active');
  await finish(holder, 'succeeded');
  expect(await store.forget(holder.runId, 'default')).toBe('forgotten');
  expect(await store.forget(holder.runId, 'default')).toBe('gone');
  expect(await redis.hmget(keys.stats, 'openBytes', 'retainedBytes')).toEqual(['0', '0']);
  expect(await redis.keys(`${keys.base}*`)).toEqual([keys.stats]);
});

test('no script reads what a user wrote: half a surrogate pair, or what looks like retries, changes nothing', async () => {
  const id = await create({ metadata: { k: '"retries":9,' }, retries: 0 });
  const head = (await redis.hget(keys.run(id), 'head')) ?? '';
  await redis.hset(keys.run(id), 'head', head.replace('"metadata":{', '"metadata":{"half":"\\ud83d",'));
  expect((await store.read(id))?.head.request.metadata.half).toBe('\ud83d');
  await store.move(await claimed(id), 'running', emptyState);
  expect((await store.claim(id, 'w2')).verdict).toBe('lost');
});

test('a run that an earlier version stored is taken, shown, ended and forgotten as if nothing were', async () => {
  const more = { command: ['cat'], stdin: 'in', env: { TOKEN: 'very-secret-value' }, artifacts: ['*'] };
  const request = runRequest.parse({ image: 'busybox', ...more });
  const id = await create(more);
  await asEarlierVersion(redis, keys, sealer, id, request);
  const masked = { ...request, env: { TOKEN: '***' } };
  for (const read of [store.read, store.readWhole]) expect((await read(id))?.request).toEqual(masked);
  expect(outlineOf((await store.head(id)) as RunHead)).toMatchObject({ firstStep: 'run' });
  const claim = await store.claim(id, 'w1');
  expect(claim).toMatchObject({ verdict: 'claimed', request });
  const holder = { runId: id, tenant: 'default', attempt: 1, worker: 'w1' };
  expect(await finish(holder, 'succeeded')).toBe(true);
  expect(await redis.exists(keys.spec(id))).toBe(0);
  expect((await store.readWhole(id))?.request).toEqual(masked);
  expect(await store.forget(id, 'default')).toBe('forgotten');
  expect(await redis.hmget(keys.stats, 'openBytes', 'retainedBytes')).toEqual(['0', '0']);
  expect(await redis.keys(`${keys.base}*`)).toEqual([keys.stats]);
});

test('a run that an earlier version stored has its retries in its head alone: they count', async () => {
  const older = async (more: Record<string, unknown>) => {
    const id = await create(more);
    await asEarlierVersion(redis, keys, sealer, id, runRequest.parse({ image: 'busybox', ...more }));
    await redis.hdel(keys.run(id), 'retries', 'tenant', 'createdAt');
    return id;
  };
  const id = await older({ retries: 1 });
  await store.move(await claimed(id), 'running', emptyState);
  await store.move(await claimed(id, 'w2'), 'running', emptyState);
  expect((await store.claim(id, 'w3')).verdict).toBe('lost');
  const requeued = await older({ retries: 1 });
  const first = await claimed(requeued);
  await store.move(first, 'running', emptyState);
  expect(await store.requeue(first)).toBe('requeued');
  const second = await claimed(requeued);
  await store.move(second, 'running', emptyState);
  expect(await store.requeue(second)).toBe('refused');
  const broken = await older({ retries: 1 });
  await store.move(await claimed(broken), 'running', emptyState);
  await redis.hset(keys.run(broken), 'head', '{');
  expect(await store.claim(broken, 'w2')).toMatchObject({ verdict: 'broken', id: broken });
});

test('a broken run is ended once, and only by whoever has it', async () => {
  const id = await create();
  const holder = await claimed(id);
  await redis.hset(keys.run(id), 'head', '{');
  expect(await store.endBroken(id, undefined, { attempt: 1, worker: 'w2' })).toBe(false);
  expect(await store.endBroken(id, undefined, { attempt: 2, worker: 'w1' })).toBe(false);
  expect(await store.endBroken(id, undefined, holder)).toBe(true);
  expect(await store.endBroken(id, undefined, holder)).toBe(false);
  expect(await store.read(id)).toMatchObject({
    status: 'errored',
    head: { id, tenant: 'default' },
    unreadable: true,
  });
  expect(await redis.hexists(keys.run(id), 'secrets')).toBe(0);
  for (const index of [keys.open, keys.tenantOpen('default')]) expect(await redis.zcard(index)).toBe(0);
  // Somebody else's, whose tenant is known by no more than an index.
  const unknown = await create();
  await redis.hdel(keys.run(unknown), 'head', 'tenant', 'createdAt');
  expect(await store.endBroken(unknown)).toBe(true);
  expect((await store.read(unknown))?.head.tenant).toBe('default');
  // What is no record at all leaves every index.
  const none = await create();
  await redis.set(keys.run(none), 'x');
  expect(await store.endBroken(none)).toBe(false);
  expect(await redis.keys(`${keys.run(none)}*`)).toEqual([]);
  expect(await store.ids('default', undefined, 10)).toEqual([unknown, id]);
});

test('an end that cannot be written changes nothing, and can be written when it can', async () => {
  const holder = await claimed(await create());
  const { runId } = holder;
  await redis.del(keys.events(runId));
  await redis.set(keys.events(runId), 'x');
  await expect(finish(holder, 'succeeded')).rejects.toThrow('WRONGTYPE');
  expect(await store.status(runId)).toBe('queued');
  expect(await redis.hexists(keys.run(runId), 'secrets')).toBe(1);
  expect(await store.endBroken(runId)).toBe(true);
  const events = await readEvents(redis, keys, runId, '0', 10);
  expect(events.map(({ type }) => type)).toEqual(['exit']);
});
