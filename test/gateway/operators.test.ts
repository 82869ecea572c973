import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sseReader } from './sse.ts';
import { pathsOf, problemOf, runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_REGISTRIES: '', RUNLET_REGISTRY_ALLOW: 'localhost' });
});
afterAll(() => on.stop());
beforeEach(async () => {
  for (const worker of await on.gateway.workers.list()) await on.gateway.workers.leave(worker.id);
});

const problem = (code: string, status: number) => ({
  type: `https://runlet.dev/problems/${code}`,
  title: code,
  status,
  detail: 'what happened',
  code,
});

type Entry = { id: string; reference: string; workers: string[] };
const pageOf = async (response: Response) =>
  (await response.json()) as { data: Entry[]; nextCursor: string | null };

/** The next command for a worker. */
const command = (id: string) => until(() => on.gateway.workers.take(id));

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
    expect(await command(worker.id)).toEqual({ kind: 'drain' });
    for (const id of ['wrk_x', `${worker.id}0`, actAsWorker(on).id])
      await problemOf(await on.call('POST', `/v1/workers/${id}/drain`), 404, 'not_found');
  });
});

describe('images', () => {
  test('are the union of what workers have', async () => {
    const [a, b] = [actAsWorker(on), actAsWorker(on)];
    await a.beat({}, [
      { reference: 'busybox:latest', id: 'sha256:1' },
      { reference: 'debian:13', id: 'sha256:2' },
    ]);
    await b.beat({}, [
      { reference: 'busybox:latest', id: 'sha256:1' },
      { reference: 'debian:13', id: 'sha256:3' },
    ]);
    const { data, nextCursor } = await pageOf(await on.call('GET', '/v1/images'));
    expect(nextCursor).toBeNull();
    const shown = data.map((image) => [image.reference, image.id, image.workers.sort()]);
    expect(shown).toEqual([
      ['busybox:latest', 'sha256:1', [a.id, b.id].sort()],
      ['debian:13', 'sha256:2', [a.id]],
      ['debian:13', 'sha256:3', [b.id]],
    ]);
  });

  test.each([
    [{ image: 'UPPER' }, 'image'],
    [{}, 'image'],
    [{ image: 'a', x: 1 }, 'x'],
  ])('a pull of %j is refused', async (body, path) => {
    expect(
      pathsOf(await problemOf(await on.call('POST', '/v1/images/pull', body), 400, 'validation_failed')),
    ).toEqual([path]);
  });

  test('a pull without a worker is 503', async () => {
    const response = await on.call('POST', '/v1/images/pull', { image: 'busybox' });
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    await problemOf(response, 503, 'no_worker');
  });

  test('a pull answers when every worker is done', async () => {
    const [a, b] = [actAsWorker(on), actAsWorker(on)];
    await a.beat();
    await b.beat();
    const answer = on.call('POST', '/v1/images/pull', { image: 'busybox' });
    const asked = await command(a.id);
    expect(asked).toMatchObject({ kind: 'pull', tenant: 'default', reference: 'busybox' });
    expect(await command(b.id)).toEqual(asked);
    const { operation } = asked as { operation: string };
    await on.gateway.operations.append(operation, {
      kind: 'done',
      worker: a.id,
      digest: 'sha256:1',
      error: null,
    });
    await on.gateway.operations.append(operation, {
      kind: 'done',
      worker: b.id,
      digest: null,
      error: problem('registry_unavailable', 502),
    });
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      image: 'busybox',
      workers: [
        { worker: a.id, digest: 'sha256:1', error: null },
        { worker: b.id, digest: null, error: problem('registry_unavailable', 502) },
      ],
    });
  });

  test.each([
    [['image_not_found', 'image_not_found'], 404, 'image_not_found'],
    [['registry_auth', 'registry_auth'], 403, 'registry_auth'],
    [['image_not_found', 'registry_unavailable'], 502, 'pull_failed'],
  ] as const)('a pull that failed everywhere (%j) is %i', async (codes, status, code) => {
    const workers = codes.map(() => actAsWorker(on));
    for (const worker of workers) await worker.beat();
    const answer = on.call('POST', '/v1/images/pull', { image: 'busybox' });
    for (const [index, worker] of workers.entries()) {
      const { operation } = (await command(worker.id)) as { operation: string };
      const one = codes[index] as string;
      await on.gateway.operations.append(operation, {
        kind: 'done',
        worker: worker.id,
        digest: null,
        error: problem(one, one === 'image_not_found' ? 404 : one === 'registry_auth' ? 403 : 502),
      });
    }
    await problemOf(await answer, status, code);
  });

  test('a worker that dies on the way keeps nobody waiting', async () => {
    const worker = actAsWorker(on);
    await worker.beat();
    const answer = on.call('POST', '/v1/images/pull', { image: 'busybox' });
    await command(worker.id);
    await on.gateway.workers.leave(worker.id);
    await problemOf(await answer, 500, 'worker_lost');
  });

  test('a pull is streamed where that is asked for', async () => {
    const worker = actAsWorker(on);
    await worker.beat();
    const answer = on.call('POST', '/v1/images/pull', { image: 'busybox' }, { accept: 'text/event-stream' });
    const { operation } = (await command(worker.id)) as { operation: string };
    const response = await answer;
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const stream = sseReader(response);
    const layers = [{ id: 'l1', status: 'downloading' as const, currentBytes: 1, totalBytes: 2 }];
    await on.gateway.operations.append(operation, {
      kind: 'pull',
      worker: worker.id,
      reference: 'busybox:latest',
      layers,
    });
    const event = await stream.next();
    expect([event?.event, JSON.parse(event?.data ?? '')]).toEqual([
      'pull',
      { worker: worker.id, reference: 'busybox:latest', status: 'pulling', layers },
    ]);
    await on.gateway.operations.append(operation, {
      kind: 'done',
      worker: worker.id,
      digest: 'sha256:9',
      error: null,
    });
    const rest = await stream.all();
    expect(rest.map((one) => [one.event, JSON.parse(one.data)])).toEqual([
      ['done', { image: 'busybox', workers: [{ worker: worker.id, digest: 'sha256:9', error: null }] }],
    ]);
  });

  test('a client that leaves a pull leaves nothing behind here', async () => {
    const worker = actAsWorker(on);
    await worker.beat();
    const response = on.call(
      'POST',
      '/v1/images/pull',
      { image: 'busybox' },
      { accept: 'text/event-stream' },
    );
    const { operation } = (await command(worker.id)) as { operation: string };
    const channels = () => on.redis.pubsub('CHANNELS', on.keys.wake(operation)) as Promise<string[]>;
    await (await response).body?.cancel();
    await until(async () => (await channels()).length === 0);
  });

  test('are removed, by a reference with slashes and colons', async () => {
    const [a, b] = [actAsWorker(on), actAsWorker(on)];
    await a.beat();
    await b.beat();
    for (const path of ['registry.local%3A5000%2Fteam%2Fapp%3A1', 'registry.local:5000/team/app:1']) {
      const answer = on.call('DELETE', `/v1/images/${path}`);
      const asked = (await command(a.id)) as { operation: string };
      expect(asked).toMatchObject({ kind: 'remove-image', reference: 'registry.local:5000/team/app:1' });
      await command(b.id);
      await on.gateway.operations.append(asked.operation, {
        kind: 'done',
        worker: a.id,
        digest: null,
        removed: true,
        error: null,
      });
      await on.gateway.operations.append(asked.operation, {
        kind: 'done',
        worker: b.id,
        digest: null,
        removed: false,
        error: null,
      });
      const response = await answer;
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({
        data: [
          { worker: a.id, removed: true, error: null },
          { worker: b.id, removed: false, error: null },
        ],
      });
    }
  });

  test.each([
    [null, 404, 'not_found'],
    ['image_not_present', 404, 'not_found'],
    ['conflict', 409, 'conflict'],
  ] as const)('an image that is not removed anywhere (%s) is %i', async (code, status, answered) => {
    const worker = actAsWorker(on);
    await worker.beat();
    const answer = on.call('DELETE', '/v1/images/busybox');
    const { operation } = (await command(worker.id)) as { operation: string };
    await on.gateway.operations.append(operation, {
      kind: 'done',
      worker: worker.id,
      digest: null,
      removed: false,
      error: code === null ? null : problem(code, status),
    });
    await problemOf(await answer, status, answered);
  });

  test('a reference that is none is refused', async () => {
    expect(
      pathsOf(await problemOf(await on.call('DELETE', '/v1/images/UPPER'), 400, 'validation_failed')),
    ).toEqual(['ref']);
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
