import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createJanitor } from '../../services/gateway/janitor/janitor.ts';
import { newId } from '../../shared/ids.ts';
import { runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
let sweep: (now?: number) => Promise<void>;
beforeEach(async () => {
  on = await startGateway({
    RUNLET_RETENTION_MS: '3600000',
    RUNLET_RETENTION_RUNS: '4',
    RUNLET_RETENTION_BYTES: '2000000',
    RUNLET_QUEUE_EXPIRY_MS: '600000',
  });
  ({ sweep } = createJanitor(on.gateway));
});
afterEach(() => on.stop());

const second = 1_000;
const later = (ms: number) => Date.now() + ms;
const create = async (more: object = {}) =>
  (await runOf(await on.call('POST', '/v1/runs', { image: 'hello-world', ...more }), 202)).id;
const read = async (id: string) => runOf(await on.call('GET', `/v1/runs/${id}`), 200);
const hasJob = async (id: string) => (await on.gateway.queue.having([id])).has(id);

describe('a run without a job', () => {
  test('gets one when its grace is over, with its priority', async () => {
    const id = await create({ priority: 40 });
    await on.gateway.queue.remove(id);
    await sweep(later(10 * second));
    expect(await hasJob(id)).toBe(false);
    await sweep(later(16 * second));
    expect(await hasJob(id)).toBe(true);
    expect(await on.redis.hget(`${on.keys.bull}:runs:${id}`, 'priority')).toBe('61');
  });

  test('is left alone while it is not due', async () => {
    const id = await create({ delayMs: 60_000 });
    await on.gateway.queue.remove(id);
    await sweep(later(30 * second));
    expect(await hasJob(id)).toBe(false);
    await sweep(later(80 * second));
    expect(await hasJob(id)).toBe(true);
  });

  test('is left alone in the hands of a worker that lives', async () => {
    const worker = actAsWorker(on);
    await worker.beat();
    const id = await create();
    await worker.claim(id);
    await on.gateway.queue.remove(id);
    await sweep(later(1_000 * second));
    expect(await hasJob(id)).toBe(false);
    expect((await read(id)).status).toBe('queued');
  });
});

describe('a run that nobody takes', () => {
  test('expires, with a word of why, and its job goes', async () => {
    const id = await create();
    await sweep(later(590 * second));
    expect((await read(id)).status).toBe('queued');
    await sweep(later(610 * second));
    expect(await read(id)).toMatchObject({ status: 'expired', error: { code: 'no_worker' } });
    expect(await hasJob(id)).toBe(false);
  });

  test('its time begins when it is due', async () => {
    const id = await create({ delayMs: 600_000 });
    await sweep(later(1_100 * second));
    expect((await read(id)).status).toBe('queued');
    await sweep(later(1_300 * second));
    expect((await read(id)).status).toBe('expired');
  });
});

describe('a run whose worker died', () => {
  test('ends as worker_lost after 30 s', async () => {
    const worker = actAsWorker(on);
    const id = await create();
    const holder = await worker.start(id);
    await sweep();
    await sweep(later(29 * second));
    expect((await read(id)).status).toBe('running');
    await sweep(later(31 * second));
    expect(await read(id)).toMatchObject({
      status: 'errored',
      exitCode: null,
      error: { code: 'worker_lost' },
    });
    // The worker that comes back finds the run lost, and changes nothing.
    expect(await worker.finish(holder)).toBe(false);
    expect((await read(id)).status).toBe('errored');
  });

  test('is tried again where retries allow, and ends when they are used up', async () => {
    const id = await create({ retries: 1 });
    await on.gateway.queue.remove(id);
    await actAsWorker(on).start(id);
    await sweep();
    await sweep(later(31 * second));
    expect((await read(id)).status).toBe('running');
    expect(await hasJob(id)).toBe(true);
    await actAsWorker(on).start(id);
    expect((await read(id)).attempt).toBe(2);
    await sweep(later(32 * second));
    await sweep(later(64 * second));
    expect(await read(id)).toMatchObject({ status: 'errored', error: { code: 'worker_lost' } });
  });

  test('before its program started, it is queued again at no cost', async () => {
    const worker = actAsWorker(on);
    const id = await create();
    const holder = await worker.claim(id);
    const record = await on.gateway.runs.read(id);
    if (record === undefined) throw new Error('no record');
    await on.gateway.runs.move(holder, 'pulling', record.state);
    await on.gateway.queue.remove(id);
    await sweep();
    await sweep(later(31 * second));
    expect(await hasJob(id)).toBe(true);
    await actAsWorker(on).perform(id);
    expect(await read(id)).toMatchObject({ status: 'succeeded', attempt: 2 });
  });

  test('that is to be cancelled is cancelled', async () => {
    const id = await create();
    await actAsWorker(on).start(id);
    await on.call('POST', `/v1/runs/${id}/cancel`);
    await sweep();
    expect((await read(id)).status).toBe('cancelled');
  });

  test('lives on while the worker does', async () => {
    const worker = actAsWorker(on);
    const id = await create();
    await worker.beat();
    await worker.start(id);
    await on.gateway.queue.remove(id);
    await sweep();
    await worker.beat();
    await sweep(later(100 * second));
    expect((await read(id)).status).toBe('running');
  });
});

test('a cancel that broke off between its two steps is done', async () => {
  const id = await create({ delayMs: 60_000 });
  await on.gateway.runs.cancel(id);
  await sweep();
  expect((await read(id)).status).toBe('cancelled');
  expect(await hasJob(id)).toBe(false);
});

describe('a run whose record cannot be read', () => {
  const breaks: [string, (id: string) => Promise<unknown>][] = [
    ['its head', (id) => on.redis.hset(on.keys.run(id), 'head', '{"id"')],
    ['its head, which is gone', (id) => on.redis.hdel(on.keys.run(id), 'head', 'tenant', 'createdAt')],
    ['its status', (id) => on.redis.hset(on.keys.run(id), 'status', 'flying')],
    [
      'its state',
      (id) => on.redis.hset(on.keys.run(id), { status: 'running', worker: 'wrk_x', state: '{"st' }),
    ],
  ];
  test.each(breaks)('%s: it ends, and so do the others', async (_, act) => {
    const broken = await create();
    const other = await create();
    await act(broken);
    await sweep(later(610 * second));
    await sweep(later(1_300 * second));
    expect(await read(other)).toMatchObject({ status: 'expired' });
    expect(await read(broken)).toMatchObject({ status: 'errored', finishedAt: expect.any(String) });
    expect(await on.redis.zcard(on.keys.open)).toBe(0);
    expect(await hasJob(broken)).toBe(false);
  });

  test('what stands under its name is none: it leaves the indexes, and lists', async () => {
    const broken = await create();
    const other = await create();
    await on.redis.set(on.keys.run(broken), 'x');
    const list = await on.call('GET', '/v1/runs');
    expect(((await list.json()) as { data: { id: string }[] }).data.map(({ id }) => id)).toEqual([other]);
    await sweep(later(610 * second));
    expect((await read(other)).status).toBe('expired');
    expect(await on.redis.keys(`${on.keys.run(broken)}*`)).toEqual([]);
  });

  test('it is shown, streamed, cancelled, listed, and forgotten when its time is over', async () => {
    const broken = await create({ metadata: { k: 'v' } });
    await on.redis.hset(on.keys.run(broken), 'head', 'null');
    expect(await read(broken)).toMatchObject({ id: broken, status: 'queued', metadata: {}, request: {} });
    const list = await on.call('GET', '/v1/runs?status=queued');
    expect(await list.json()).toMatchObject({ data: [{ id: broken }] });
    expect((await on.call('POST', `/v1/runs/${broken}/cancel`)).status).toBe(202);
    const events = await (await on.call('GET', `/v1/runs/${broken}/events`)).text();
    expect(events).toContain('event: exit');
    expect((await read(broken)).status).toBe('cancelled');
    await sweep(later(3_700 * second));
    expect(await on.redis.keys(`${on.keys.run(broken)}*`)).toEqual([]);
    expect(await on.redis.zcard(on.keys.finished)).toBe(0);
  });

  test('one that ended in half a step is open no more', async () => {
    const id = await create();
    await on.redis.hset(on.keys.run(id), 'status', 'succeeded');
    await sweep();
    expect(await on.redis.zcard(on.keys.open)).toBe(0);
    await on.redis.zadd(on.keys.finished, 1, id);
  });
});

test('a service whose record cannot be read keeps no other duty from being done', async () => {
  const id = await create();
  const service = newId('svc');
  await on.redis.hset(on.keys.service(service), { head: '{', status: 'ready', wanted: 'running' });
  await on.redis.zadd(on.keys.services, 1, service);
  await on.redis.zadd(on.keys.tenantServices('default'), 0, service);
  await actAsWorker(on).perform(id);
  await sweep(later(3_700 * second));
  expect((await on.call('GET', `/v1/runs/${id}`)).status).toBe(404);
  expect(await (await on.call('GET', '/v1/services')).json()).toEqual({ data: [], nextCursor: null });
  expect(await (await on.call('GET', '/v1/volumes')).json()).toEqual({ data: [], nextCursor: null });
  await on.redis.del(on.keys.service(service), on.keys.services, on.keys.tenantServices('default'));
});

describe('retention', () => {
  const finish = async () => {
    const id = await create();
    await actAsWorker(on).perform(id);
    return id;
  };
  const kept = async (ids: string[]) => {
    const there: string[] = [];
    for (const id of ids) if ((await on.call('GET', `/v1/runs/${id}`)).status === 200) there.push(id);
    return there;
  };

  test('by number: the oldest go', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.push(await finish());
    const open = await create();
    await sweep();
    expect(await kept([...ids, open])).toEqual([...ids.slice(3), open]);
  });

  test('by age', async () => {
    const id = await finish();
    await sweep(later(3_500 * second));
    expect(await kept([id])).toEqual([id]);
    await sweep(later(3_700 * second));
    expect(await kept([id])).toEqual([]);
    expect(await on.redis.keys(`${on.keys.run(id)}*`)).toEqual([]);
  });

  test('by bytes: large requests and outputs count, and no more goes than must', async () => {
    const ids: string[] = [];
    const worker = actAsWorker(on);
    for (let i = 0; i < 3; i++) {
      const id = await create({ stdin: 'x'.repeat(900_000) });
      await worker.perform(id);
      ids.push(id);
    }
    expect(Number(await on.redis.hget(on.keys.stats, 'retainedBytes'))).toBeGreaterThan(2_700_000);
    await sweep();
    expect(await kept(ids)).toEqual(ids.slice(1));
  });

  test('by bytes: artifacts count', async () => {
    const ids: string[] = [];
    const worker = actAsWorker(on);
    for (let i = 0; i < 3; i++) {
      const id = await create({ artifacts: ['a'] });
      const artifacts = [{ path: 'a', sizeBytes: 900_000, sha256: '0'.repeat(64) }];
      await worker.finish(await worker.start(id), 'succeeded', { artifacts });
      ids.push(id);
    }
    await sweep();
    expect(await kept(ids)).toEqual(ids.slice(1));
    expect(Number(await on.redis.hget(on.keys.stats, 'retainedBytes'))).toBeGreaterThan(1_800_000);
  });
});

test('entries whose record is gone leave every index', async () => {
  const open = await create();
  const ended = await create();
  await actAsWorker(on).perform(ended);
  await on.redis.del(on.keys.run(open), on.keys.run(ended));
  await on.redis.hset(on.keys.stats, 'retainedBytes', 0);
  await sweep(later(4_000 * second));
  await sweep(later(4_000 * second));
  for (const key of [
    on.keys.open,
    on.keys.finished,
    on.keys.tenantRuns('default'),
    on.keys.tenantOpen('default'),
  ])
    expect(await on.redis.zcard(key)).toBe(0);
  await on.redis.del(
    ...(await on.redis.keys(`${on.keys.run(open)}*`)),
    ...(await on.redis.keys(`${on.keys.run(ended)}*`)),
  );
});

test('more open runs than one sweep looks at are all looked at in time', async () => {
  const id = await create({ delayMs: 1_000 });
  await on.gateway.queue.remove(id);
  // A thousand runs that are due earlier, in the hands of a worker that lives.
  const worker = actAsWorker(on);
  await worker.beat();
  const fillers = Array.from({ length: 1_000 }, (_, i) => `run_${i.toString(16).padStart(32, '0')}`);
  for (const filler of fillers)
    await on.redis.hset(on.keys.run(filler), { status: 'running', worker: worker.id, dueAt: '0' });
  await on.redis.zadd(on.keys.open, ...fillers.flatMap((filler) => ['1', filler]));
  await sweep(later(20 * second));
  await sweep(later(20 * second));
  expect(await hasJob(id)).toBe(true);
  await on.redis.zrem(on.keys.open, ...fillers);
  await on.redis.del(...fillers.map((filler) => on.keys.run(filler)));
});

test('of several janitors one sweeps at a time', async () => {
  const id = await create();
  await on.gateway.queue.remove(id);
  await on.redis.hset(on.keys.run(id), 'dueAt', String(Date.now() - 20_000));
  await on.redis.set(on.keys.janitor, 'another', 'PX', 60_000);
  const janitor = createJanitor(on.gateway, 20);
  janitor.start();
  await sleep(200);
  expect(await hasJob(id)).toBe(false);
  await on.redis.del(on.keys.janitor);
  while (!(await hasJob(id))) await sleep(10);
  await janitor.stop();
});
