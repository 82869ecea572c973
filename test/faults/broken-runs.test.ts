import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createRunQueue } from '../../services/gateway/run-queue.ts';
import type { Run } from '../../shared/contracts/run.ts';
import type { Service } from '../../shared/contracts/service.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { newId } from '../../shared/ids.ts';
import { keysFor } from '../../shared/keys.ts';
import { createLog } from '../../shared/log.ts';
import { connectRedis } from '../../shared/redis.ts';
import { outlineOf } from '../../shared/run-plan.ts';
import { sealerFor } from '../../shared/secrets.ts';
import { headOf } from '../../shared/stores/run-parts.ts';
import { createRunStore } from '../../shared/stores/runs.ts';
import { createWorkerStore } from '../../shared/stores/workers.ts';
import { newWebhookSecret } from '../../shared/webhooks/signature.ts';
import { sseReader } from '../gateway/sse.ts';
import { asEarlierVersion } from '../support/earlier-run.ts';
import { type Receiver, startReceiver, verified } from '../support/receiver.ts';
import { runRequest } from '../support/run-request.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';

/** Faults that are ours, put into Redis before a worker is there. Each run ends by its own, and the worker sees the others to their ends. */
const lab = inject('lab');
const redis = connectRedis(lab.redisUrl, 'loop', createLog('test', 'silent'));
let runlet: Runlet;
let receiver: Receiver;
let keys: ReturnType<typeof keysFor>;

beforeAll(async () => {
  receiver = await startReceiver();
  runlet = await startRunlet(lab, { workers: 0, env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  keys = keysFor(runlet.prefix);
  await runlet.startNotifier();
});
afterAll(async () => {
  await runlet.stop();
  await receiver.stop();
  redis.disconnect();
});

const secret = newWebhookSecret();
const read = async (id: string) => (await (await runlet.call('GET', `/v1/runs/${id}`)).json()) as Run;

async function post(name: string, more: object = {}): Promise<string> {
  const response = await runlet.call('POST', '/v1/runs', {
    image: 'busybox',
    command: ['echo', name],
    limits: { memoryBytes: 16_777_216 },
    webhook: { url: `${receiver.url}/${encodeURIComponent(name)}`, secret },
    metadata: { name },
    env: { TOKEN: 'of this run' },
    ...more,
  });
  expect(response.status, await response.clone().text()).toBe(202);
  return ((await response.json()) as Run).id;
}

const jobKey = (id: string) => `${keys.bull}:runs:${id}`;
type Break = (id: string) => Promise<unknown>;

const breaks: Record<string, Break> = {
  'a head that is cut': (id) => redis.hset(keys.run(id), 'head', '{"id":"'),
  'a head of another run': (id) => redis.hset(keys.run(id), 'head', '{"id":"run_x","request":{}}'),
  'no head': (id) => redis.hdel(keys.run(id), 'head'),
  'no head, of an earlier version': (id) =>
    redis.hdel(keys.run(id), 'head', 'tenant', 'createdAt', 'retries'),
  'a request that does not open': (id) => redis.hset(keys.run(id), 'payload', randomBytes(200)),
  'a request that is none': (id) => redis.hset(keys.run(id), 'payload', sealed(id, '{"image":')),
  'a request that is gone': (id) => redis.hdel(keys.run(id), 'payload'),
  'a request without what is in every one': (id) => redis.hset(keys.run(id), 'payload', sealed(id, '{}')),
  'a request that is cut': (id) => redis.hset(keys.run(id), 'payload', sealed(id, '{"stdin":9}')),
  'secrets that do not open': (id) => redis.hset(keys.run(id), 'secrets', randomBytes(200)),
  'secrets that are gone': (id) => redis.hdel(keys.run(id), 'secrets'),
  'a request of an earlier version that does not open': (id) =>
    redis.multi().hdel(keys.run(id), 'payload').set(keys.spec(id), randomBytes(200)).exec(),
  'a request of an earlier version that is of another kind': (id) =>
    redis.multi().hdel(keys.run(id), 'payload').lpush(keys.spec(id), 'x').exec(),
  'events of another kind': (id) => redis.multi().del(keys.events(id)).set(keys.events(id), 'x').exec(),
  'an outline without limits': (id) =>
    redis.hset(jobKey(id), 'data', JSON.stringify({ id, outline: { id, request: {} } })),
  'an outline whose limits are text': (id) =>
    redis.hset(
      jobKey(id),
      'data',
      JSON.stringify({ id, outline: { id, request: { limits: { memoryBytes: '1', cpus: '1' } } } }),
    ),
  'an outline without an image, though one to be at hand': (id) =>
    redis.hset(
      jobKey(id),
      'data',
      JSON.stringify({
        id,
        outline: { id, request: { limits: { memoryBytes: 1, cpus: 0.1 }, pull: 'missing', image: 5 } },
      }),
    ),
  'a state that is none': (id) => redis.hset(keys.run(id), 'status', 'flying'),
};
const sealer = () => sealerFor(runlet.env.RUNLET_SECRET_KEY ?? '');

/** A payload of this JSON, as run-parts.ts seals it. */
function sealed(id: string, json: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return sealer().seal([length, Buffer.from(json)], `payload:${id}`);
}

/** What is broken of these is not needed, or can be told otherwise. */
const harmless: Record<string, Break> = {
  'a job whose data are cut': (id) => redis.hset(jobKey(id), 'data', '{"id":"'),
  'an attempt that is no number': (id) => redis.hset(keys.run(id), 'attempt', 'many', 'losses', 'x'),
  'a record of an earlier version': (id) => redis.hdel(keys.run(id), 'tenant', 'createdAt', 'retries'),
};

describe('runs that are broken before a worker takes them', () => {
  const ids = new Map<string, string>();
  const streams = new Map<string, ReturnType<typeof sseReader>>();
  let good: string[];

  beforeAll(async () => {
    for (const [name, act] of Object.entries({ ...breaks, ...harmless })) {
      const id = await post(name);
      ids.set(name, id);
      streams.set(name, sseReader(await runlet.call('GET', `/v1/runs/${id}/events`)));
      await act(id);
    }
    good = [await post('good'), await post('good too')];
    await runlet.startWorker({ RUNLET_WORKER_NAME: 'one' });
  });

  test.each(Object.keys(breaks))(
    '%s: errored, internal; its webhook comes, its stream ends',
    async (name) => {
      const id = ids.get(name) ?? '';
      const run = await runlet.ended(id);
      expect(run).toMatchObject({ id, status: 'errored', exitCode: null, error: { code: 'internal' } });
      expect(Date.parse(run.finishedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(run.createdAt));
      const [told] = await receiver.came(1, `/${encodeURIComponent(name)}`);
      expect(told && verified(secret, told)).toMatchObject({
        type: 'run.finished',
        data: { id, status: 'errored', error: { code: 'internal' } },
      });
      const events = await streams.get(name)?.all();
      expect(events?.at(-1)?.event).toBe('exit');
      expect(await redis.zscore(keys.open, id)).toBeNull();
      // The job of a run that could not be claimed goes by a command of its own, a moment after the run's end.
      await expect.poll(() => redis.exists(jobKey(id), keys.spec(id))).toBe(0);
      expect(await redis.hexists(keys.run(id), 'secrets')).toBe(0);
    },
  );

  test.each(Object.keys(harmless))('%s: as if nothing were', async (name) => {
    const run = await runlet.ended(ids.get(name) ?? '');
    expect(run).toMatchObject({ status: 'succeeded', stdout: `${name}\n`, attempt: 1 });
  });

  test('the worker saw the others to their ends, and is the same', async () => {
    for (const id of good) expect(await runlet.ended(id)).toMatchObject({ status: 'succeeded' });
    expect(await runlet.run({ image: 'busybox', command: ['echo', 'after'] })).toMatchObject({
      stdout: 'after\n',
    });
    // Nothing that they reserved is left; its next word of that comes within seconds.
    const inUse = async () => {
      const { data } = (await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] };
      expect(data.map(({ name }) => name)).toEqual(['one']);
      return data[0]?.inUse.runs;
    };
    while ((await inUse()) !== 0) await sleep(100);
  });

  test('they are listed, and forgotten, like others', async () => {
    const list = await runlet.call('GET', '/v1/runs?limit=100');
    expect(list.status).toBe(200);
    const listed = new Set(((await list.json()) as { data: Run[] }).data.map(({ id }) => id));
    for (const [name, id] of ids) expect(listed.has(id), name).toBe(true);
    for (const name of [
      'a head that is cut',
      'no head',
      'a request that does not open',
      'secrets that are gone',
    ]) {
      const id = ids.get(name) ?? '';
      expect((await runlet.call('DELETE', `/v1/runs/${id}`)).status).toBe(204);
      expect(await redis.exists(keys.run(id))).toBe(0);
    }
  });
});

test('a broken one that is claimed along with its job, for a warm sandbox that waits: it ends, and others go on', async () => {
  const echo = { image: 'busybox', command: ['echo', 'warm'], limits: { memoryBytes: 16_777_216 } };
  while (!(await runlet.run(echo)).startedWarm) await sleep(200);
  const runs = createRunStore(redis, keys, sealer());
  const queue = createRunQueue(redis, keys, createLog('test', 'silent'));
  const request = runRequest.parse(echo);
  for (let i = 0; i < 3; i += 1) {
    const id = newId('run');
    const now = Date.now();
    const head = { id, tenant: 'default', createdAt: new Date(now).toISOString(), dueAt: now };
    await runs.create(head, request, { maxTenantRuns: 100, maxRuns: 100, maxDeliveries: 100 });
    await redis.hset(keys.run(id), 'payload', 'no box');
    await queue.add({ id, priority: 0, delayMs: 0, outline: outlineOf(headOf(head, request)) });
    expect(await runlet.ended(id)).toMatchObject({
      status: 'errored',
      error: { code: 'internal' },
      attempt: 1,
    });
  }
  await queue.close();
  expect(await runlet.run(echo)).toMatchObject({ status: 'succeeded', stdout: 'warm\n' });
});

test('what an earlier version took and left in the queue, half a surrogate pair, runs', async () => {
  await runlet.workers.at(-1)?.stop();
  const id = await post('cut', { command: ['cat'] });
  const request = runRequest.parse({
    image: 'busybox',
    command: ['cat'],
    limits: { memoryBytes: 16_777_216 },
  });
  const cut = { ...request, stdin: 'cut \ud83d', metadata: { name: '\ud83d' } };
  await asEarlierVersion(redis, keys, sealer(), id, cut);
  await redis.hdel(keys.run(id), 'tenant', 'createdAt', 'retries');
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'two' });
  expect(await runlet.ended(id)).toMatchObject({ status: 'succeeded', stdout: 'cut \ufffd' });
  expect((await read(id)).metadata.name).toBe('\ud83d');
});

test('a run whose stream breaks while it is going on ends, and those beside it go on', async () => {
  const command = ['sh', '-c', 'echo begun; sleep 1; echo more; sleep 1; echo end'];
  const [broken, beside] = [await post('breaks', { command }), await post('beside', { command })];
  while ((await read(broken)).stdout !== 'begun\n') await sleep(20);
  await redis.multi().del(keys.events(broken)).set(keys.events(broken), 'x').exec();
  const ended = async () => (await redis.hget(keys.run(broken), 'status')) === 'errored';
  while (!(await ended())) await sleep(20);
  expect(await read(broken)).toMatchObject({ error: { code: 'internal' } });
  expect(await runlet.ended(beside)).toMatchObject({ status: 'succeeded', stdout: 'begun\nmore\nend\n' });
});

describe('in a service', () => {
  let service: Service;
  let worker: string;
  beforeAll(async () => {
    const api = servicesOf(runlet, lab.dockerHost);
    const command = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
    service = await api.start({ name: 'idle', image: 'busybox', command });
    worker = (await api.read('idle')).worker ?? '';
    return () => api.remove('idle');
  });

  const breaksOfExec = ['a head that is cut', 'a request that does not open', 'a request that is none'];
  breaksOfExec.push('a request that is gone', 'events of another kind');
  test.each(breaksOfExec)('%s: errored, internal; the next one runs', async (name) => {
    const runs = createRunStore(redis, keys, sealer());
    const request = runRequest.parse({ image: 'busybox', entrypoint: [], command: ['echo', 'in'] });
    const id = newId('run');
    const now = Date.now();
    const head = { id, tenant: 'default', createdAt: new Date(now).toISOString(), dueAt: now };
    const bounds = { maxTenantRuns: 100, maxRuns: 100, maxDeliveries: 100 };
    await runs.create({ ...head, service: service.id }, request, bounds);
    await breaks[name]?.(id);
    await createWorkerStore(redis, keys).send(worker, { kind: 'exec', run: id, service: service.id });
    expect(await runlet.ended(id)).toMatchObject({ status: 'errored', error: { code: 'internal' } });
    const next = await runlet.call(
      'POST',
      '/v1/services/idle/exec',
      { command: ['echo', 'in'] },
      { prefer: 'wait=30' },
    );
    expect(await next.json()).toMatchObject({ status: 'succeeded', stdout: 'in\n' });
  });

  test('stdin that is no base64 is refused', async () => {
    const body = { command: ['cat'], stdin: '%', stdinEncoding: 'base64' };
    const answer = await runlet.call('POST', '/v1/services/idle/exec', body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ errors: [{ path: 'stdin' }] });
  });

  test('a command that is none keeps no other from being carried out', async () => {
    await redis.rpush(keys.commands(worker), '{"kind":');
    const next = await runlet.call(
      'POST',
      '/v1/services/idle/exec',
      { command: ['echo', 'on'] },
      { prefer: 'wait=30' },
    );
    expect(await next.json()).toMatchObject({ status: 'succeeded', stdout: 'on\n' });
  });
});
