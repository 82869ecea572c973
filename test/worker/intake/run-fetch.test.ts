import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, expect, inject, test } from 'vitest';
import { createRunQueue as gatewayQueue } from '../../../services/gateway/run-queue.ts';
import { createRunQueue, type HeldJob, type RunQueue } from '../../../services/worker/intake/run-queue.ts';
import { newId } from '../../../shared/ids.ts';
import { keysFor } from '../../../shared/keys.ts';
import { createLog } from '../../../shared/log.ts';
import { connectRedis } from '../../../shared/redis.ts';
import { kindOf, outlineOf } from '../../../shared/run-plan.ts';
import { sealerFor } from '../../../shared/secrets.ts';
import {
  createRunClaims,
  type Fetch,
  type HeldClaim,
  type RunClaims,
} from '../../../shared/stores/run-claims.ts';
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
type Fetcher = { name: string; queue: RunQueue; ahead: RunClaims };
const fetchers: Fetcher[] = [];
async function fetcher(name: string, url = redisUrl): Promise<Fetcher> {
  const ahead = connectRedis(url, 'loop', log);
  const queue = createRunQueue({
    redis,
    ahead,
    keys,
    workerId: name,
    log,
    lockMs: 10_000,
    onLockLost: () => {},
  });
  await queue.open();
  const one = { name, queue, ahead: createRunClaims(ahead, keys, sealer) };
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
  redis.disconnect();
});

/** `before`: called when the run is stored, and its job is not yet added. */
async function submit(
  more: Record<string, unknown> = {},
  before: (id: string) => Promise<unknown> = async () => {},
): Promise<string> {
  const request = runRequest.parse({ image: 'busybox', env: { TOKEN: 'very-secret-value' }, ...more });
  const { delayMs } = request;
  const id = newId('run');
  const now = new Date();
  const head = { id, tenant: 'default', createdAt: now.toISOString(), dueAt: now.getTime() + delayMs };
  await store.create(head, request, bounds);
  await before(id);
  await gateway.add({ id, priority: 50, delayMs, outline: outlineOf({ ...head, request }) });
  return id;
}

const busybox = (() => {
  const request = runRequest.parse({ image: 'busybox' });
  return kindOf(outlineOf({ id: '', tenant: '', createdAt: '', dueAt: 0, request }));
})();
const state = { ...emptyState, startedWarm: true };

/** Until a job comes; what lets it be claimed along is sent with each wait. `waits`: called when one has been sent. */
async function next(
  { name, queue, ahead }: Fetcher,
  kinds: string[],
  waits: () => void = () => {},
): Promise<{ job: HeldJob; claim: HeldClaim | undefined }> {
  for (;;) {
    let asked: Promise<HeldClaim | undefined> | undefined;
    const job = await queue.next((fetch) => {
      const starts = kinds.map((kind) => ({ kind, state }));
      asked = ahead.claimFetched(fetch, name, starts, Date.now());
      waits();
    });
    const claim = await asked;
    if (job !== undefined) return { job, claim };
  }
}

/** Has it wait first, then submits. */
async function whileItWaits(one: Fetcher, kinds: string[], act: () => Promise<string>) {
  const waiting = Promise.withResolvers<void>();
  const came = next(one, kinds, waiting.resolve);
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

test('only what was fetched by this fetch is claimed', async () => {
  const [one, other] = [await fetcher('w1'), await fetcher('w2')];
  const taken = await whileItWaits(one, [], () => submit());
  const names = Promise.withResolvers<Fetch>();
  // Two waits: at the first it is not known yet that nobody is there.
  await other.queue.next(names.resolve);
  await other.queue.next(names.resolve);
  expect(await store.claimFetched(await names.promise, 'w2', [{ kind: busybox, state }], 1)).toBeUndefined();
  expect(await store.read(taken.id)).toMatchObject({ status: 'queued', worker: null });
  await taken.job.complete();
});

test('of several that wait each run comes to one', async () => {
  const all = await Promise.all(['w1', 'w2', 'w3'].map((name) => fetcher(name)));
  const got: string[] = [];
  const attempts: (number | undefined)[] = [];
  const ids = new Set<string>();
  let done = false;
  const takers = all.map(async ({ name, queue, ahead }) => {
    while (!done) {
      let asked: Promise<HeldClaim | undefined> | undefined;
      const job = await queue.next((fetch) => {
        asked = ahead.claimFetched(fetch, name, [{ kind: busybox, state }], Date.now());
      });
      const claim = (await asked) ?? (job && (await store.claim(job.runId, name, state)));
      if (job === undefined) continue;
      got.push(job.runId);
      attempts.push(claim && 'attempt' in claim ? claim.attempt : undefined);
      await job.complete();
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
  const { queue, ahead } = await fetcher('w1', line.url);
  let asked: { fetch: Fetch; claim: Promise<HeldClaim | undefined> } | undefined;
  const wait = () =>
    queue.next((fetch) => {
      const claim = ahead.claimFetched(fetch, 'w1', [{ kind: busybox, state }], Date.now());
      asked = { fetch, claim };
    });
  // At the first it is not known yet that nobody is there; then Redis comes to know the scripts.
  for (let i = 0; i < 2; i += 1) await wait();
  const came = wait();
  while (asked === undefined) await new Promise((resolve) => setImmediate(resolve));
  line.freeze();
  const id = await submit();
  const job = await came;
  const { fetch, claim } = asked;
  expect(await claim).toMatchObject({ verdict: 'claimed', attempt: 1, head: { id } });
  const held = job ?? (await queue.held(id, fetch));
  expect(held?.runId).toBe(id);
  await held?.complete();
  await queue.close();
  await line.stop();
});

test('times are written as JavaScript writes them', async () => {
  const script = readFileSync(new URL('../../../shared/stores/lua/fetched.lua', import.meta.url), 'utf8');
  const iso = `${script.slice(0, script.indexOf('\nlocal id\n'))}\nreturn iso(tonumber(ARGV[1]))`;
  const times = ['1970-01-01T00:00:00.000Z', '2000-02-29T12:34:56.007Z', '2026-12-31T23:59:59.999Z'];
  times.push('2027-01-01T00:00:00.000Z', '2028-02-29T00:00:00.001Z', '2100-03-01T05:06:07.890Z');
  for (let day = 0; day < 800; day += 1)
    times.push(new Date(1_700_000_000_000 + day * 86_411_007).toISOString());
  const written = await Promise.all(times.map((time) => redis.eval(iso, 0, Date.parse(time))));
  expect(written).toEqual(times);
});
