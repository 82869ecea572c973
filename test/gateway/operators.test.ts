import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pathsOf, problemOf, runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker, nextCommand, pageOf } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_REGISTRIES: '', RUNLET_REGISTRY_ALLOW: 'localhost' });
});
afterAll(() => on.stop());
beforeEach(async () => {
  for (const worker of await on.gateway.workers.list()) await on.gateway.workers.leave(worker.id);
});

describe('readiness', () => {
  test('needs a worker', async () => {
    await problemOf(await fetch(`${on.url}/readyz`), 503, 'no_worker');
    await actAsWorker(on).beat();
    const response = await fetch(`${on.url}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      status: 'ready',
      redis: { version: expect.stringMatching(/^\d+\.\d+/) },
      workers: 1,
    });
  });
});

describe('workers', () => {
  test('are listed, page by page', async () => {
    const workers = [actAsWorker(on), actAsWorker(on), actAsWorker(on)];
    for (const worker of workers) await worker.beat({ name: 'n' });
    const first = await pageOf(await on.call('GET', '/v1/workers?limit=2'));
    expect(first.data).toHaveLength(2);
    const second = await pageOf(await on.call('GET', `/v1/workers?limit=2&cursor=${first.nextCursor}`));
    expect(second.nextCursor).toBeNull();
    expect([...first.data, ...second.data].map(({ id }) => id).sort()).toEqual(
      workers.map(({ id }) => id).sort(),
    );
  });

  test('are drained', async () => {
    const worker = actAsWorker(on);
    await worker.beat();
    const response = await on.call('POST', `/v1/workers/${worker.id}/drain`);
    expect(response.status).toBe(202);
    expect(await response.json()).toMatchObject({ id: worker.id });
    expect(await nextCommand(on, worker.id)).toEqual({ kind: 'drain' });
    for (const id of ['wrk_x', `${worker.id}0`, actAsWorker(on).id])
      await problemOf(await on.call('POST', `/v1/workers/${id}/drain`), 404, 'not_found');
  });
});

describe('registries', () => {
  test('credentials are kept sealed, found as pulls look for them, and forgotten', async () => {
    const credentials = { username: 'ci', password: 'hunter2-secret' };
    for (const [host, kept] of [
      ['registry.example.com:5000', 'registry.example.com:5000'],
      ['index.docker.io', 'docker.io'],
      ['localhost', 'localhost'],
    ] as const) {
      const response = await on.call('PUT', `/v1/registries/${encodeURIComponent(host)}`, credentials);
      expect([response.status, await response.text()]).toEqual([204, '']);
      expect(await on.gateway.registries.find('default', kept)).toEqual(credentials);
    }
    const stored = await on.redis.hgetallBuffer(on.keys.registries('default'));
    expect(
      Object.values(stored)
        .map((box) => box.toString('latin1'))
        .join(),
    ).not.toContain('hunter2');
    expect((await on.call('DELETE', '/v1/registries/docker.io')).status).toBe(204);
    await problemOf(await on.call('DELETE', '/v1/registries/docker.io'), 404, 'not_found');
    expect(await on.gateway.registries.find('default', 'docker.io')).toBeUndefined();
  });

  test.each([
    'plain',
    'a b.example',
    'x.example%2Fpath',
    'http:%2F%2Fx.example',
    '-.example',
    'x.example:port',
  ])('the host %s is refused', async (host) => {
    const answer = await on.call('PUT', `/v1/registries/${host}`, { username: 'a', password: 'b' });
    expect(pathsOf(await problemOf(answer, 400, 'validation_failed'))).toEqual(['host']);
  });

  test.each([
    [{ username: 'a' }, 'password'],
    [{ username: '', password: 'b' }, 'username'],
    [{ username: 'a', password: 'b', email: 'c' }, 'email'],
  ])('credentials like %j are refused', async (body, path) => {
    const answer = await on.call('PUT', '/v1/registries/x.example', body);
    expect(pathsOf(await problemOf(answer, 400, 'validation_failed'))).toEqual([path]);
  });

  test('are bounded in number', async () => {
    const call = await on.caller('collector');
    for (let i = 0; i < 100; i++)
      expect(
        (await call('PUT', `/v1/registries/r${i}.example`, { username: 'a', password: 'b' })).status,
      ).toBe(204);
    await problemOf(
      await call('PUT', '/v1/registries/more.example', { username: 'a', password: 'b' }),
      429,
      'quota_exceeded',
    );
    expect((await call('PUT', '/v1/registries/r1.example', { username: 'c', password: 'd' })).status).toBe(
      204,
    );
  });
});

describe('metrics', () => {
  test('parse, and count what happened', async () => {
    const worker = actAsWorker(on);
    await worker.beat({ capacity: { memoryBytes: 4096, cpus: 2 } });
    const run = await runOf(await on.call('POST', '/v1/runs', { image: 'hello-world' }), 202);
    await runOf(await on.call('POST', '/v1/runs', { image: 'hello-world' }), 202);
    await worker.perform(run.id);
    const response = await on.call('GET', '/metrics');
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = parse(await response.text());
    const value = (name: string, labels = '') => samples.get(`${name}${labels}`);
    expect(value('runlet_runs_total', '{status="succeeded"}')).toBe(1);
    expect(value('runlet_runs_total', '{status="failed"}')).toBe(0);
    expect(value('runlet_runs_open')).toBe(1);
    expect(value('runlet_runs_retained')).toBe(1);
    expect(value('runlet_retained_bytes')).toBeGreaterThan(64);
    expect(value('runlet_queue_jobs', '{state="prioritized"}')).toBe(2);
    expect(value('runlet_workers')).toBe(1);
    expect(value('runlet_worker_capacity', `{worker="${worker.id}",resource="memoryBytes"}`)).toBe(4096);
    expect(value('runlet_worker_in_use', `{worker="${worker.id}",resource="runs"}`)).toBe(1);
    expect(value('runlet_run_duration_seconds_count')).toBe(1);
    expect(value('runlet_run_duration_seconds_bucket', '{le="+Inf"}')).toBe(1);
    expect(value('runlet_http_requests_total', '{method="POST",route="/v1/runs",status="202"}')).toBe(2);
    expect(samples.has('process_cpu_seconds_total')).toBe(true);
    // Ids and unknown paths make no labels.
    expect([...samples.keys()].filter((name) => name.includes('run_0'))).toEqual([]);
  });
});

/** The text format, strictly: every line is a comment or a sample, each sample stands once under a type. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const typed = new Set<string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const type = /^# TYPE (\S+) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type !== null) {
      expect(typed.has(type[1] as string)).toBe(false);
      typed.add(type[1] as string);
      continue;
    }
    if (/^# HELP \S+ .+$/.test(line)) continue;
    const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$/.exec(line);
    expect(sample, line).not.toBeNull();
    const [, name = '', labels = '', number] = sample as RegExpExecArray;
    expect(typed.has(name) || typed.has(name.replace(/_(bucket|sum|count)$/, '')), line).toBe(true);
    expect(samples.has(name + labels), line).toBe(false);
    samples.set(name + labels, Number(number));
    expect(Number.isNaN(samples.get(name + labels))).toBe(false);
  }
  return samples;
}
