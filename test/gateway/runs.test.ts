import { afterAll, beforeAll, expect, test } from 'vitest';
import { problemOf, runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };

test('a run is stored, has a place, and a job', async () => {
  const response = await on.call('POST', '/v1/runs', { ...image, priority: 7, metadata: { a: 'b' } });
  const location = response.headers.get('location');
  const run = await runOf(response, 202);
  expect(location).toBe(`/v1/runs/${run.id}`);
  expect(run).toMatchObject({
    status: 'queued',
    attempt: 0,
    worker: null,
    metadata: { a: 'b' },
    image: { reference: 'hello-world', digest: null },
  });
  expect(await runOf(await on.call('GET', `/v1/runs/${run.id}`), 200)).toEqual(run);
  expect(await on.gateway.queue.having([run.id])).toEqual(new Set([run.id]));
  const job = await on.redis.hgetall(`${on.keys.bull}:runs:${run.id}`);
  expect(JSON.parse(job.data ?? '')).toEqual({
    id: run.id,
    outline: {
      id: run.id,
      tenant: 'default',
      createdAt: run.createdAt,
      dueAt: Date.parse(run.createdAt),
      firstStep: 'run',
      request: {
        image: 'hello-world',
        pull: 'missing',
        isolation: 'container',
        network: 'none',
        writable: false,
        limits: expect.objectContaining({ timeoutMs: 10_000 }),
      },
    },
  });
  expect(job.priority).toBe('94');
});

test('a job says nothing of the program, only what comes first of it', async () => {
  const files = [{ path: 'main.cpp', content: 'int its_own;' }];
  const program = { language: 'c++', files, stdin: 'its_own', args: ['its_own'], env: { A: 'its_own' } };
  const run = await runOf(await on.call('POST', '/v1/runs', { ...program, inputs: [] }), 202);
  const job = await on.redis.hgetall(`${on.keys.bull}:runs:${run.id}`);
  expect(JSON.stringify(job)).not.toContain('its_own');
  expect(JSON.parse(job.data ?? '').outline).toMatchObject({
    firstStep: 'compile',
    request: { language: 'c++' },
  });
});

test('a run whose scripts Redis has forgotten is stored, and has its job', async () => {
  await on.redis.script('FLUSH');
  const run = await runOf(await on.call('POST', '/v1/runs', image), 202);
  expect(await on.gateway.queue.having([run.id])).toEqual(new Set([run.id]));
});

test('a delay is the job’s delay', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', { ...image, delayMs: 60_000 }), 202);
  expect(await on.redis.zscore(`${on.keys.bull}:runs:delayed`, run.id)).not.toBeNull();
});

test('secrets are masked in every answer and in the store', async () => {
  const run = await runOf(
    await on.call('POST', '/v1/runs', { ...image, env: { TOKEN: 'hunter2-very-secret' } }),
    202,
  );
  expect(run.request).toMatchObject({ env: { TOKEN: '***' } });
  for (const key of await on.redis.keys(`${on.keys.run(run.id)}*`)) {
    expect((await on.redis.dump(key)) ?? '').not.toContain('hunter2');
  }
});

test('Prefer: wait answers 200 with the finished run as soon as it ends', async () => {
  const answer = on.call(
    'POST',
    '/v1/runs',
    { ...image, metadata: { name: 'waited' } },
    { prefer: 'respond-async, wait="30"' },
  );
  const id = await newest('waited');
  await actAsWorker(on).perform(id, 'hello ✓\n');
  const response = await answer;
  expect(response.headers.get('preference-applied')).toBe('wait=30');
  expect(response.headers.get('location')).toBe(`/v1/runs/${id}`);
  expect(await runOf(response, 200)).toMatchObject({
    id,
    status: 'succeeded',
    exitCode: 0,
    stdout: 'hello ✓\n',
    steps: [{ name: 'run', status: 'succeeded', stdout: 'hello ✓\n' }],
  });
});

test('a wait whose hint over pub/sub is lost ends all the same', async () => {
  const answer = on.call(
    'POST',
    '/v1/runs',
    { ...image, metadata: { name: 'missed' } },
    { prefer: 'wait=30' },
  );
  const id = await newest('missed');
  const worker = actAsWorker(on);
  const holder = await worker.start(id);
  // Nobody is told: as if Redis had dropped the subscriber in this moment.
  await on.redis.hset(on.keys.run(id), 'status', 'failed');
  expect((await runOf(await answer, 200)).status).toBe('failed');
  await on.redis.hset(on.keys.run(id), 'status', 'running');
  await worker.finish(holder);
});

test('a wait that is too short answers 202 with the run as it is', async () => {
  const answer = on.call('POST', '/v1/runs', { ...image, metadata: { name: 'short' } }, { prefer: 'wait=1' });
  const id = await newest('short');
  await actAsWorker(on).start(id);
  const response = await answer;
  expect(response.headers.get('preference-applied')).toBe('wait=1');
  expect((await runOf(response, 202)).status).toBe('running');
});

test('Prefer: wait=0 does not wait', async () => {
  const response = await on.call('POST', '/v1/runs', image, { prefer: 'wait=0' });
  await runOf(response, 202);
});

test.each(['wait', 'wait=', 'wait=61', 'wait=-1', 'wait=1.5', 'wait=abc', 'foo, wait=9999'])(
  'Prefer: %s is refused by name',
  async (prefer) => {
    const problem = await problemOf(
      await on.call('POST', '/v1/runs', image, { prefer }),
      400,
      'validation_failed',
    );
    expect(problem.errors).toEqual([{ path: 'Prefer', message: expect.stringContaining('0 to 60') }]);
  },
);

test.each(['handling=lenient', 'waiting=99', 'return="minimal, wait=99"'])(
  'Prefer: %s is ignored',
  async (prefer) => {
    const response = await on.call('POST', '/v1/runs', image, { prefer });
    expect(response.headers.get('preference-applied')).toBeNull();
    await runOf(response, 202);
  },
);

test('output that is no UTF-8 comes as base64, whole', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', image), 202);
  const worker = actAsWorker(on);
  const holder = await worker.start(run.id);
  const bytes = Buffer.from([0, 255, 254, 10, 0x80]);
  await worker.append(holder, { type: 'stdout', data: bytes }, { type: 'stderr', data: 'text' });
  await worker.finish(holder);
  const ended = await runOf(await on.call('GET', `/v1/runs/${run.id}`), 200);
  expect(ended.outputEncoding).toBe('base64');
  expect(Buffer.from(ended.stdout, 'base64')).toEqual(bytes);
  expect(Buffer.from(ended.stderr, 'base64').toString()).toBe('text');
});

test('output of many chunks comes whole and in order; an earlier attempt’s does not', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', { ...image, retries: 1 }), 202);
  const first = actAsWorker(on);
  await first.out(await first.start(run.id), 'lost attempt\n');
  const worker = actAsWorker(on);
  const holder = await worker.start(run.id);
  const lines = Array.from({ length: 700 }, (_, i) => `line ${i}\n`);
  for (let i = 0; i < lines.length; i += 50) await worker.out(holder, ...lines.slice(i, i + 50));
  await worker.finish(holder);
  const ended = await runOf(await on.call('GET', `/v1/runs/${run.id}`), 200);
  expect(ended.stdout).toBe(lines.join(''));
  expect(ended.attempt).toBe(2);
});

test('an unheld run is cancelled at once, and its job is gone', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', { ...image, delayMs: 60_000 }), 202);
  const cancelled = await runOf(await on.call('POST', `/v1/runs/${run.id}/cancel`), 202);
  expect(cancelled).toMatchObject({ status: 'cancelled', exitCode: null, error: null });
  expect(cancelled.finishedAt).not.toBeNull();
  expect(await on.gateway.queue.having([run.id])).toEqual(new Set());
});

test('a held run is cancelled through its worker', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', image), 202);
  const worker = actAsWorker(on);
  const holder = await worker.start(run.id);
  const heard = new Promise<string>((resolve) => {
    void on.gateway.wakeups.listen(on.keys.workerWake(worker.id), resolve).then(async () => {
      expect((await runOf(await on.call('POST', `/v1/runs/${run.id}/cancel`), 202)).status).toBe('running');
    });
  });
  expect(await heard).toBe(`cancel ${run.id}`);
  expect(await on.gateway.runs.verdicts([holder])).toEqual(['cancelled']);
  await worker.finish(holder, 'cancelled', { exitCode: null });
  expect((await runOf(await on.call('GET', `/v1/runs/${run.id}`), 200)).status).toBe('cancelled');
});

test('cancelling what has ended changes nothing', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', image), 202);
  await actAsWorker(on).perform(run.id);
  const before = await runOf(await on.call('GET', `/v1/runs/${run.id}`), 200);
  expect(await runOf(await on.call('POST', `/v1/runs/${run.id}/cancel`), 202)).toEqual(before);
  expect(before.status).toBe('succeeded');
});

test('a run is deleted when it has ended, not before', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', image), 202);
  await problemOf(await on.call('DELETE', `/v1/runs/${run.id}`), 409, 'conflict');
  await actAsWorker(on).perform(run.id);
  expect((await on.call('DELETE', `/v1/runs/${run.id}`)).status).toBe(204);
  await problemOf(await on.call('DELETE', `/v1/runs/${run.id}`), 404, 'not_found');
  await problemOf(await on.call('GET', `/v1/runs/${run.id}`), 404, 'not_found');
  expect(await on.redis.keys(`${on.keys.run(run.id)}*`)).toEqual([]);
});

test('an artifact that is not there is not found', async () => {
  const run = await runOf(await on.call('POST', '/v1/runs', image), 202);
  await problemOf(await on.call('GET', `/v1/runs/${run.id}/artifacts/out/a%2Fb.txt`), 404, 'not_found');
});

test('an errored run says why, in the answer and at the end of a wait', async () => {
  const answer = on.call(
    'POST',
    '/v1/runs',
    { ...image, metadata: { name: 'errored' } },
    { prefer: 'wait=30' },
  );
  const id = await newest('errored');
  const worker = actAsWorker(on);
  const error = {
    type: 'https://runlet.dev/problems/image_not_found',
    title: 't',
    status: 404,
    detail: 'd',
    code: 'image_not_found',
  };
  await worker.finish(await worker.claim(id), 'errored', { error, exitCode: null });
  expect(await runOf(await answer, 200)).toMatchObject({ status: 'errored', error });
});

function newest(name: string): Promise<string> {
  return until(async () => {
    const response = await on.call('GET', `/v1/runs?metadata.name=${name}`);
    const { data } = (await response.json()) as { data: { id: string }[] };
    return data[0]?.id;
  });
}
