import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sseReader } from './sse.ts';
import { pathsOf, problemOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker, nextCommand, pageOf } from './worker.ts';

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
    const asked = await nextCommand(on, a.id);
    expect(asked).toMatchObject({ kind: 'pull', tenant: 'default', reference: 'busybox' });
    expect(await nextCommand(on, b.id)).toEqual(asked);
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
      const { operation } = (await nextCommand(on, worker.id)) as { operation: string };
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
    await nextCommand(on, worker.id);
    await on.gateway.workers.leave(worker.id);
    await problemOf(await answer, 500, 'worker_lost');
  });

  test('a pull is streamed where that is asked for', async () => {
    const worker = actAsWorker(on);
    await worker.beat();
    const answer = on.call('POST', '/v1/images/pull', { image: 'busybox' }, { accept: 'text/event-stream' });
    const { operation } = (await nextCommand(on, worker.id)) as { operation: string };
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
      { type: 'pull', worker: worker.id, reference: 'busybox:latest', status: 'pulling', layers },
    ]);
    await on.gateway.operations.append(operation, {
      kind: 'done',
      worker: worker.id,
      digest: 'sha256:9',
      error: null,
    });
    const rest = await stream.all();
    expect(rest.map((one) => [one.event, JSON.parse(one.data)])).toEqual([
      [
        'done',
        {
          type: 'done',
          image: 'busybox',
          workers: [{ worker: worker.id, digest: 'sha256:9', error: null }],
        },
      ],
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
    const { operation } = (await nextCommand(on, worker.id)) as { operation: string };
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
      const asked = (await nextCommand(on, a.id)) as { operation: string };
      expect(asked).toMatchObject({ kind: 'remove-image', reference: 'registry.local:5000/team/app:1' });
      await nextCommand(on, b.id);
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
    const { operation } = (await nextCommand(on, worker.id)) as { operation: string };
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
