import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, expect, inject, test } from 'vitest';
import { createRunQueue as gatewayQueue } from '../../../services/gateway/run-queue.ts';
import {
  createRunQueue,
  type Fetched,
  type Likely,
  type RunQueue,
} from '../../../services/worker/intake/run-queue.ts';
import { newId } from '../../../shared/ids.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { closeRedis, connectRedis } from '../../../shared/redis.ts';
import { kindOf, outlineOf } from '../../../shared/run-plan.ts';
import { sealerFor } from '../../../shared/secrets.ts';
import { createRunClaims, type Start } from '../../../shared/stores/run-claims.ts';
import { readEvents } from '../../../shared/stores/run-events.ts';
import { emptyState } from '../../../shared/stores/run-record.ts';
import { createRunStore } from '../../../shared/stores/runs.ts';
import { startLossyLine } from '../../faults/lossy-line.ts';
import { runRequest } from '../../support/run-request.ts';

const { redisUrl } = inject('lab');
const log = createLog('test', 'silent');
const redis = connectRedis(redisUrl, 'loop', log);
const keys = keysFor(`t${randomBytes(5).toString('hex')}`);
const sealer = sealerFor('a key of the test’s own');
const store = createRunStore(redis, keys, sealer);
const gateway = gatewayQueue(redis, keys, log);
const bounds = { maxTenantRuns: 50, maxRuns: 50, maxDeliveries: 1_000 };

/** A worker's side of the queue, as its main wires it. */
type Fetcher = { name: string; queue: RunQueue };
const fetchers: Fetcher[] = [];
async function fetcher(name: string, url = redisUrl): Promise<Fetcher> {
  const ahead = connectRedis(url, 'loop', log);
  const queue = createRunQueue({
    redis,
    ahead,
    claims: store,
    claimsAhead: createRunClaims(ahead, keys, sealer),
    keys,
    workerId: name,
    log,
    lockMs: 10_000,
    onLockLost: () => {},
  });
  await queue.open();
  const one = { name, queue };
  fetchers.push(one);
  return one;
}
afterEach(async () => {
  await Promise.all(fetchers.splice(0).map(({ queue }) => queue.close()));
  const all = await redis.keys(`${keys.base}*`);
  if (all.length > 0) await redis.del(...all);
});
afterAll(async () => {
  await gateway.close();
  await closeRedis(redis);
});

/** `before`: called when the run is stored, and its job is not yet added. Without it, and without a delay, both are one step. */
async function submit(
  more: Record<string, unknown> = {},
  before?: (id: string) => Promise<unknown>,
): Promise<string> {
  const request = runRequest.parse({ image: 'busybox', env: { TOKEN: 'very-secret-value' }, ...more });
  const { delayMs } = request;
  const id = newId('run');
  const now = new Date();
  const head = { id, tenant: 'default', createdAt: now.toISOString(), dueAt: now.getTime() + delayMs };
  const outline = outlineOf({ ...head, request });
  const isAtOnce = before === undefined && delayMs === 0;
  await store.create(head, request, bounds, isAtOnce ? { job: { id, outline } } : {});
  await before?.(id);
  if (!isAtOnce) await gateway.add({ id, priority: 50, delayMs, outline });
  return id;
}

const busybox = (() => {
  const request = runRequest.parse({ image: 'busybox' });
  return kindOf(outlineOf({ id: '', tenant: '', createdAt: '', dueAt: 0, request }));
})();
const state = { ...emptyState, startedWarm: true };

const startsOf = (kinds: string[], warm = 1): Start[] => kinds.map((kind) => ({ kind, warm, state }));
const likely = (kinds: string[], most = 1): Likely => ({ starts: startsOf(kinds), most });

/** Until a job comes. `waits`: called when a fetch has been sent. */
async function next({ queue }: Fetcher, kinds: string[], waits: () => void = () => {}): Promise<Fetched> {
  for (;;) {
    const fetched = await queue.next(() => {
      waits();
      return likely(kinds);
    });
    if (fetched !== undefined) return fetched;
  }
}

/** Has it wait first, then submits. It waits with its second fetch: the first finds nothing, which makes the other wait. */
async function whileItWaits(one: Fetcher, kinds: string[], act: () => Promise<string>) {
  const waiting = Promise.withResolvers<void>();
  let fetches = 0;
  const came = next(one, kinds, () => {
    fetches += 1;
    if (fetches === 2) waiting.resolve();
  });
  await waiting.promise;
  return { id: await act(), ...(await came) };
}

test('a run of a kind that can be started is claimed along with the fetch of its job', async () => {
  const before = Date.now();
  const { id, job, claim } = await whileItWaits(await fetcher('w1'), ['other', busybox], () => submit());
  expect(job).toMatchObject({ runId: id, alone: true });
  expect(claim).toMatchObject({
    verdict: 'claimed',
    attempt: 1,
    head: { id },
    request: { env: { TOKEN: 'very-secret-value' } },
  });
  const record = await store.read(id);
  expect(record).toMatchObject({ status: 'running', attempt: 1, worker: 'w1', state: { startedWarm: true } });
  const { startedAt, timings } = record?.state ?? emptyState;
  expect(Date.parse(startedAt ?? '')).toBeGreaterThanOrEqual(before);
  expect(timings.queuedMs).toBeGreaterThanOrEqual(0);
  const events = await readEvents(redis, keys, id, '0', 10);
  expect(events.map(({ data }) => JSON.parse(data.toString()))).toEqual([
    { status: 'queued', attempt: 0, at: expect.any(String) },
    { status: 'running', attempt: 1, at: startedAt },
  ]);
  // It counts as started.
  expect((await store.claim(id, 'w2')).verdict).toBe('lost');
  await job.complete();
  expect(await gateway.having([id])).toEqual(new Set());
});

test('a run of another kind is fetched, and not claimed', async () => {
  const waitsFor = await fetcher('w1');
  const { id, job, claim } = await whileItWaits(waitsFor, [busybox], () => submit({ network: 'egress' }));
  expect(job.runId).toBe(id);
  expect(job.outline?.request.network).toBe('egress');
  expect(claim).toBeUndefined();
  expect(await store.read(id)).toMatchObject({ status: 'queued', attempt: 0, worker: null });
  await job.complete();
});

test('a run that is to be cancelled is not said to be running', async () => {
  const { id, job, claim } = await whileItWaits(await fetcher('w1'), [busybox], () =>
    submit({}, store.cancel),
  );
  expect(claim).toMatchObject({ verdict: 'cancelled', head: { id } });
  expect(await store.status(id)).toBe('queued');
  await job.complete();
});

test('a run that is broken is claimed as that along with its job', async () => {
  const { id, job, claim } = await whileItWaits(await fetcher('w1'), [busybox], () =>
    submit({}, (id) => redis.hset(keys.run(id), 'payload', 'no box')),
  );
  expect(claim).toMatchObject({ verdict: 'broken', id, attempt: 1 });
  await job.complete();
});

test('a job whose data cannot be read is one without an outline', async () => {
  const one = await fetcher('w1');
  const id = await submit({ delayMs: 200 });
  await redis.hset(`${keys.bull}:runs:${id}`, 'data', '{"id":');
  const { job } = await next(one, [busybox]);
  expect(job).toMatchObject({ runId: id, outline: undefined });
  await job.complete();
});

test('a run of a kind for which nothing warm is there is claimed, and does not count as started', async () => {
  const one = await fetcher('w1');
  const id = await submit();
  const { job, claim, running } =
    (await one.queue.next(() => ({ starts: startsOf([busybox], 0), most: 1 }))) ?? {};
  expect(claim).toMatchObject({ verdict: 'claimed', attempt: 1, head: { id } });
  expect(running).toBe(false);
  expect(await store.read(id)).toMatchObject({ status: 'queued', attempt: 1, worker: 'w1' });
  await job?.complete();
});

test('the same take again is given the same job, and the next one another', async () => {
  const ids = [await submit(), await submit()];
  const take = (token: string) =>
    store.take({ token, lockMs: 10_000, worker: 'w1', starts: startsOf([busybox]), now: 7, most: 1 });
  for (let i = 0; i < 3; i += 1)
    expect(await take('w1:1')).toMatchObject({
      jobs: [{ id: ids[0], claim: { verdict: 'claimed', attempt: 1 } }],
    });
  expect(await take('w1:2')).toMatchObject({
    jobs: [{ id: ids[1], claim: { verdict: 'claimed', attempt: 1 } }],
  });
  expect(await take('w1:3')).toEqual({ outcome: 'none', someDelayed: false });
});

test('several come at a time, and half of what waits is left to others; so many start as can', async () => {
  const one = await fetcher('w1');
  const ids: string[] = [];
  for (let i = 0; i < 8; i += 1) ids.push(await submit());
  const many = () => ({ starts: startsOf([busybox], 2), most: 4 });
  const first = await one.queue.next(many);
  expect(first).toMatchObject({ job: { runId: ids[0] }, running: true, claim: { attempt: 1 } });
  // They are this worker's by now.
  expect(one.queue.holdsSome()).toBe(true);
  expect((await store.read(ids[3] ?? ''))?.worker).toBe('w1');
  expect((await store.read(ids[4] ?? ''))?.worker).toBe(null);
  const rest = [await one.queue.next(many), await one.queue.next(many), await one.queue.next(many)];
  expect(rest.map((fetched) => [fetched?.job.runId, fetched?.running])).toEqual([
    [ids[1], true],
    [ids[2], false],
    [ids[3], false],
  ]);
  expect(await store.read(ids[2] ?? '')).toMatchObject({ status: 'queued', attempt: 1 });
  expect(one.queue.holdsSome()).toBe(false);
  // Four wait: one, and half of the other three.
  const next = [await one.queue.next(many), await one.queue.next(many)];
  expect(next.map((fetched) => fetched?.job.runId)).toEqual([ids[4], ids[5]]);
  expect(one.queue.holdsSome()).toBe(false);
  for (const fetched of [first, ...rest, ...next]) await fetched?.job.complete();
});

test('several that are taken again are the same, in the same way', async () => {
  for (let i = 0; i < 5; i += 1) await submit();
  const take = (token: string) =>
    store.take({ token, lockMs: 10_000, worker: 'w1', starts: startsOf([busybox]), now: 7, most: 3 });
  const taken = await take('w1:1');
  expect(taken).toMatchObject({ jobs: [{ running: true }, { running: false }, { running: false }] });
  expect(await take('w1:1')).toEqual(taken);
});

test('a job whose run cannot be claimed is given out without a claim', async () => {
  const one = await fetcher('w1');
  const id = await submit({}, (id) => redis.set(keys.run(id), 'no hash', 'KEEPTTL'));
  const { job, claim } = await next(one, [busybox]);
  expect(job.runId).toBe(id);
  expect(claim).toBeUndefined();
  await expect(store.claim(id, 'w1')).rejects.toThrow('WRONGTYPE');
  await job.complete();
});

test('a job that went back comes again, with its place and its time', async () => {
  const one = await fetcher('w1');
  const [first, second] = [await submit(), await submit()];
  await (await next(one, [])).job.handBack();
  const { job } = await next(one, []);
  expect(job.runId).toBe(first);
  await job.delay(300);
  const other = await next(one, []);
  expect(other.job.runId).toBe(second);
  const again = await next(one, []);
  expect(again.job).toMatchObject({ runId: first, outline: { id: first } });
  for (const { job } of [other, again]) await job.complete();
});

test('of several that wait each run comes to one', async () => {
  const all = await Promise.all(['w1', 'w2', 'w3'].map((name) => fetcher(name)));
  const got: string[] = [];
  const attempts: (number | undefined)[] = [];
  const ids = new Set<string>();
  let done = false;
  const takers = all.map(async ({ name, queue }) => {
    while (!done) {
      const fetched = await queue.next(() => likely([busybox], 4));
      if (fetched === undefined) continue;
      const claim = fetched.claim ?? (await store.claim(fetched.job.runId, name, state));
      got.push(fetched.job.runId);
      attempts.push('attempt' in claim ? claim.attempt : undefined);
      await fetched.job.complete();
      done = got.length === 20;
    }
  });
  for (let i = 0; i < 20; i += 1) ids.add(await submit());
  await Promise.all(takers);
  expect(new Set(got)).toEqual(ids);
  expect(attempts).toEqual(Array(20).fill(1));
});

test('a run that is to wait comes when its time has come, and those after it', async () => {
  const one = await fetcher('w1');
  for (const delayMs of [300, 700]) await submit({ delayMs });
  for (let i = 0; i < 2; i += 1) {
    const { job } = await next(one, [busybox]);
    expect(job.outline?.dueAt).toBeLessThanOrEqual(Date.now());
    await job.complete();
  }
  const { id, job } = await whileItWaits(one, [busybox], () => submit());
  expect(job.runId).toBe(id);
  await job.complete();
});

test('a run that came while its worker’s connection had fallen silent is not lost', async () => {
  const line = await startLossyLine(redisUrl);
  const { queue } = await fetcher('w1', line.url);
  // At the first it is not known yet that nobody is there; then Redis comes to know the scripts.
  for (let i = 0; i < 2; i += 1) await queue.next(() => likely([]));
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const came = queue.next(() => {
    resolve();
    return likely([busybox]);
  });
  await asked;
  await new Promise((sent) => setImmediate(sent));
  line.freeze();
  const id = await submit();
  const fetched = await came;
  expect(fetched?.claim).toMatchObject({ verdict: 'claimed', attempt: 1, head: { id } });
  expect(fetched?.job.runId).toBe(id);
  await fetched?.job.complete();
  await queue.close();
  await line.stop();
});

test('times are written as JavaScript writes them', async () => {
  const script = readFileSync(new URL('../../../shared/stores/lua/take.lua', import.meta.url), 'utf8');
  const iso = `${script.slice(0, script.indexOf('\nlocal time ='))}\nreturn iso(tonumber(ARGV[1]))`;
  const times = ['1970-01-01T00:00:00.000Z', '2000-02-29T12:34:56.007Z', '2026-12-31T23:59:59.999Z'];
  times.push('2027-01-01T00:00:00.000Z', '2028-02-29T00:00:00.001Z', '2100-03-01T05:06:07.890Z');
  for (let day = 0; day < 800; day += 1)
    times.push(new Date(1_700_000_000_000 + day * 86_411_007).toISOString());
  const written = await Promise.all(times.map((time) => redis.eval(iso, 0, Date.parse(time))));
  expect(written).toEqual(times);
});
