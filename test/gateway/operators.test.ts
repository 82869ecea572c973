import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Problem } from '../../shared/problems.ts';
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

  test('take runs again, and say so', async () => {
    const worker = actAsWorker(on);
    await worker.beat({ status: 'draining' });
    const answer = on.call('DELETE', `/v1/workers/${worker.id}/drain`);
    const command = await nextCommand(on, worker.id);
    if (command.kind !== 'undrain') throw new Error(command.kind);
    await worker.beat({ status: 'ready' });
    const done = { kind: 'done', worker: worker.id, digest: null } as const;
    await on.gateway.operations.append(command.operation, { ...done, error: null });
    expect(await (await answer).json()).toMatchObject({ id: worker.id, status: 'ready' });
    expect((await answer).status).toBe(200);

    const refused = on.call('DELETE', `/v1/workers/${worker.id}/drain`);
    const again = await nextCommand(on, worker.id);
    if (again.kind !== 'undrain') throw new Error(again.kind);
    const error = new Problem('conflict', 'The worker is shutting down.').toBody();
    await on.gateway.operations.append(again.operation, { ...done, error });
    await problemOf(await refused, 409, 'conflict');
    for (const id of ['wrk_x', actAsWorker(on).id])
      await problemOf(await on.call('DELETE', `/v1/workers/${id}/drain`), 404, 'not_found');
  });
});

test('volumes are where a worker is, by its name; by its engine while none lives there', async () => {
  await on.gateway.volumes.place('default', 'data', 'engine-of-volumes');
  const list = async () => (await on.call('GET', '/v1/volumes')).json();
  const volume = { name: 'data', engine: 'engine-of-volumes', services: [] };
  expect(await list()).toMatchObject({ data: [{ ...volume, node: 'engine-of-volumes' }] });
  const worker = actAsWorker(on);
  await worker.beat();
  const [shown] = await on.gateway.workers.list();
  if (shown === undefined) throw new Error('no worker');
  await worker.beat({ name: 'attic', engine: { ...shown.engine, id: 'engine-of-volumes' } });
  expect(await list()).toMatchObject({ data: [{ ...volume, node: 'attic' }] });
  await on.gateway.volumes.forget('default', 'data');
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

  test('are listed, without a password', async () => {
    const call = await on.caller('lister');
    const before = Date.now();
    for (const [host, username] of [
      ['b.example', 'bob'],
      ['a.example:5000', 'alice'],
    ])
      await call('PUT', `/v1/registries/${host}`, { username, password: 'hunter2-secret' });
    const text = await (await call('GET', '/v1/registries')).text();
    expect(text).not.toContain('hunter2');
    const page = JSON.parse(text) as { data: { updatedAt: string }[] };
    expect(page).toEqual({
      data: [
        { host: 'a.example:5000', username: 'alice', updatedAt: expect.any(String) },
        { host: 'b.example', username: 'bob', updatedAt: expect.any(String) },
      ],
      nextCursor: null,
    });
    expect(Date.parse(page.data[0]?.updatedAt ?? '')).toBeGreaterThanOrEqual(before);
    // What cannot be opened is listed, and keeps no other out.
    await on.redis.hset(on.keys.registries('lister'), 'c.example', 'garbled');
    const garbled = (await (await call('GET', '/v1/registries?limit=2')).json()) as { nextCursor: string };
    const rest = await call('GET', `/v1/registries?cursor=${garbled.nextCursor}`);
    expect(await rest.json()).toMatchObject({
      data: [{ host: 'c.example', username: null, updatedAt: null }],
    });
    const another = await on.caller('another');
    expect(await (await another('GET', '/v1/registries')).json()).toEqual({ data: [], nextCursor: null });
    const member = await on.caller('lister', 'user');
    await problemOf(await member('GET', '/v1/registries'), 403, 'forbidden');
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

  test('tell which drivers each worker has, and which it has not', async () => {
    const [direct, remote, older] = [actAsWorker(on), actAsWorker(on), actAsWorker(on)];
    const engine = { name: 'engine', runtime: null, unavailable: null } as const;
    await direct.beat({ drivers: [{ name: 'oci', runtime: 'crun 1.8.1', unavailable: null }, engine] });
    await remote.beat({ drivers: [{ name: 'oci', runtime: null, unavailable: 'elsewhere' }, engine] });
    await older.beat();
    const samples = parse(await (await on.call('GET', '/metrics')).text());
    const drivers = [...samples].filter(([name]) => name.startsWith('runlet_worker_driver{'));
    const sample = (worker: string, driver: string) =>
      `runlet_worker_driver{worker="${worker}",driver="${driver}"}`;
    expect(Object.fromEntries(drivers)).toEqual({
      [sample(direct.id, 'oci')]: 1,
      [sample(direct.id, 'engine')]: 1,
      [sample(remote.id, 'oci')]: 0,
      [sample(remote.id, 'engine')]: 1,
    });
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
    // No turn of the event loop was late since the last look: of none there is no mean.
    if (!name.startsWith('nodejs_eventloop_lag'))
      expect(Number.isNaN(samples.get(name + labels)), line).toBe(false);
  }
  return samples;
}
