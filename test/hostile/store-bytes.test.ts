import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createJanitor } from '../../services/gateway/janitor/janitor.ts';
import { settleService } from '../../services/gateway/services/settle.ts';
import type { Run } from '../../shared/contracts/run.ts';
import { newId } from '../../shared/ids.ts';
import { problemOf, runOf, startGateway, type TestGateway } from '../gateway/support.ts';
import { actAsWorker } from '../gateway/worker.ts';

/** What requests cost in Redis: each once, sealed, counted to the byte, and given back whatever becomes of its run. */
const MB = 1_000_000;
const image = { image: 'busybox', command: ['cat'] };
const stdinOf = (bytes: number) => ({ ...image, stdin: 'x'.repeat(bytes) });

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_TENANT_MAX_BYTES: '8000000', RUNLET_MAX_OPEN_BYTES: '12000000' });
});
afterAll(() => on.stop());

const keysOf = (id: string) => on.redis.keys(`${on.keys.base}*${id}*`);

async function memoryOf(id: string): Promise<number> {
  let sum = 0;
  for (const key of await keysOf(id))
    sum += Number(await on.redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0'));
  return sum;
}

const read = async (id: string) => (await (await on.call('GET', `/v1/runs/${id}`)).json()) as Run;
const cancel = async (id: string) => runOf(await on.call('POST', `/v1/runs/${id}/cancel`), 202);
const counted = async () => [
  Number(await on.redis.hget(on.keys.stats, 'openBytes')),
  (await on.redis.keys(`${on.keys.base}:tenant:*:bytes`)).length,
];

describe('a request with 6 MB of stdin', () => {
  const marker = 'very-private-line\n';
  const text = marker.repeat(6 * MB).slice(0, 6 * MB);
  test.each([
    ['text', { stdin: text }],
    ['base64', { stdin: Buffer.from(text).toString('base64'), stdinEncoding: 'base64' }],
    [
      'files',
      { files: [{ path: 'a', content: Buffer.from(text).toString('base64'), encoding: 'base64' as const }] },
    ],
  ])('as %s is stored once, and sealed', async (_, given) => {
    const { id } = await runOf(await on.call('POST', '/v1/runs', { ...image, ...given }), 202);
    expect(await memoryOf(id)).toBeLessThan(6.5 * MB);
    for (const key of await keysOf(id))
      expect((await on.redis.dumpBuffer(key))?.includes(marker.trim())).toBe(false);
    expect((await read(id)).request).toMatchObject(given);
    // Retained as it was, and counted as such.
    await cancel(id);
    expect((await read(id)).request).toMatchObject(given);
    expect(Number(await on.redis.hget(on.keys.run(id), 'storedBytes'))).toBeGreaterThan(6 * MB);
    expect((await on.call('DELETE', `/v1/runs/${id}`)).status).toBe(204);
    expect(await counted()).toEqual([0, 0]);
  });

  test('lies in plain nowhere, whatever field it is in', async () => {
    const private_ = 'in-no-index-of-ours';
    const request = {
      image: 'busybox',
      ...{ command: [private_], entrypoint: [private_], args: [private_], stdin: private_ },
      ...{
        env: { [private_]: private_ },
        artifacts: [private_],
        files: [{ path: private_, content: private_ }],
      },
      webhook: { url: `https://example.com/${private_}`, secret: `whsec_${'A'.repeat(32)}` },
    };
    const { id } = await runOf(await on.call('POST', '/v1/runs', request), 202);
    const { request: shown } = await read(id);
    expect(shown).toMatchObject({
      ...request,
      env: { [private_]: '***' },
      webhook: { secret: '***' },
      files: [{}],
    });
    for (const key of await on.redis.keys(`${on.keys.base}*`))
      expect((await on.redis.dumpBuffer(key))?.includes(private_), key).toBe(false);
    await cancel(id);
    expect(await on.redis.hexists(on.keys.run(id), 'secrets')).toBe(0);
    // As a notifier has it: on its way it is no more to be read than before.
    const payload = { tenant: 'default', type: 'run.finished' as const, runId: id, body: private_ };
    const recipient = { url: 'https://example.com/', secret: private_ };
    const [delivery = ''] = await on.gateway.deliveries.publish(payload, [recipient], {
      ...{ outboxMember: id, streamed: true },
    });
    for (const key of await on.redis.keys(`${on.keys.base}*`))
      expect((await on.redis.dumpBuffer(key))?.includes(private_), key).toBe(false);
    const stored = await on.gateway.deliveries.read(delivery);
    expect(stored && (await on.gateway.deliveries.body(stored))).toBe(private_);
  });
});

describe('quotas by bytes', () => {
  test('a tenant’s is told with 429, that of all with 503; what ends gives back what it took', async () => {
    const other = await on.caller('other');
    const first = await runOf(await on.call('POST', '/v1/runs', stdinOf(5 * MB)), 202);
    const over = await on.call('POST', '/v1/runs', stdinOf(4 * MB));
    expect(over.headers.get('retry-after')).toMatch(/^\d+$/);
    const { detail } = await problemOf(over, 429, 'quota_exceeded');
    expect(detail).toContain('RUNLET_TENANT_MAX_BYTES');
    const batch = await on.call('POST', '/v1/runs/batch', { runs: [stdinOf(4 * MB), stdinOf(1 * MB)] });
    const { results } = (await batch.json()) as { results: { id: string }[] };
    expect(results).toMatchObject([{ status: 429, code: 'quota_exceeded' }, { status: 'queued' }]);

    const theirs = await runOf(await other('POST', '/v1/runs', stdinOf(5.5 * MB)), 202);
    const full = await other('POST', '/v1/runs', stdinOf(MB));
    expect(full.headers.get('retry-after')).toMatch(/^\d+$/);
    await problemOf(full, 503, 'overloaded');
    // Nothing of what was refused is left.
    expect(Object.values(await on.gateway.queue.depth()).reduce((sum, count) => sum + count)).toBe(3);

    await actAsWorker(on).perform(first.id);
    const again = await runOf(await on.call('POST', '/v1/runs', stdinOf(4 * MB)), 202);
    for (const id of [results[1]?.id ?? '', again.id]) await cancel(id);
    await runOf(await other('POST', `/v1/runs/${theirs.id}/cancel`), 202);
    expect(await counted()).toEqual([0, 0]);
  });

  test('what is sent again is counted once', async () => {
    const keyed = () => on.call('POST', '/v1/runs', stdinOf(3 * MB), { 'idempotency-key': 'bytes-once' });
    const { id } = await runOf(await keyed(), 202);
    const [once] = await counted();
    for (let i = 0; i < 3; i++) expect((await runOf(await keyed(), 202)).id).toBe(id);
    // Its record is there already: a connection broke before the answer.
    const { head, request } = (await on.gateway.runs.readWhole(id)) ?? {};
    if (head === undefined || request === undefined) throw new Error('the run is not there');
    const bounds = { maxTenantRuns: 9, maxRuns: 9, maxDeliveries: 9 };
    await on.gateway.runs.create(head, request, bounds);
    expect((await counted())[0]).toBe(once);
    // What was answered is kept as well, no more open than the rest.
    const private_ = 'in-no-index-of-ours';
    const short = () =>
      on.call('POST', '/v1/runs', { ...image, args: [private_] }, { 'idempotency-key': private_ });
    const answered = await (await short()).text();
    expect(await (await short()).text()).toBe(answered);
    for (const key of await on.redis.keys(`${on.keys.base}*`))
      expect((await on.redis.dumpBuffer(key))?.includes(private_), key).toBe(false);
    await cancel((JSON.parse(answered) as Run).id);
    await cancel(id);
    await cancel(id);
    expect(await counted()).toEqual([0, 0]);
  });

  test('whatever is broken of a run, and whoever deletes what by hand, the count ends at nothing', async () => {
    const { redis, keys, gateway } = on;
    const janitor = createJanitor(gateway);
    const breaks: ((id: string) => Promise<unknown>)[] = [
      (id) => redis.hset(keys.run(id), 'head', '{'),
      (id) => redis.hdel(keys.run(id), 'head', 'tenant', 'createdAt'),
      (id) => redis.hset(keys.run(id), 'payload', 'no box'),
      (id) => redis.hset(keys.run(id), 'status', 'flying'),
      (id) => redis.del(keys.run(id)),
      (id) => redis.multi().del(keys.run(id)).set(keys.run(id), 'x').exec(),
      (id) => redis.multi().del(keys.run(id)).zrem(keys.open, id).zrem(keys.tenantOpen('default'), id).exec(),
    ];
    const ids: string[] = [];
    for (const act of breaks) {
      const { id } = await runOf(await on.call('POST', '/v1/runs', stdinOf(1_000)), 202);
      ids.push(id);
      await act(id);
    }
    const untaken = await runOf(await on.call('POST', '/v1/runs', image), 202);
    const [bytes] = await counted();
    expect(bytes).toBeGreaterThan(8_000);
    // Nobody takes those that can be taken: they expire.
    await janitor.sweep(Date.now() + gateway.env.RUNLET_QUEUE_EXPIRY_MS + 1_000);
    for (const id of ids) await gateway.runs.endBroken(id);
    await janitor.sweep();
    expect(await gateway.runs.status(untaken.id)).toBe('expired');
    expect(await counted()).toEqual([0, 0]);
    for (const id of ids) {
      await gateway.queue.remove(id);
      await redis.hincrby(
        keys.stats,
        'retainedBytes',
        -Number(await redis.hget(keys.run(id), 'storedBytes')),
      );
      for (const index of [keys.finished, keys.tenantRuns('default')]) await redis.zrem(index, id);
      await redis.del(newId('run'), ...(await keysOf(id)));
    }
  });

  test('files of services count as long as they live, and lie sealed', async () => {
    const { redis, keys, gateway } = on;
    const private_ = 'in-no-index-of-ours';
    const files = [{ path: 'a', content: private_.repeat(150_000) }];
    const service = (name: string) =>
      on.call('POST', '/v1/services', {
        ...{ name, image: 'busybox', command: [private_], env: { A: private_ }, files, volumes: [] },
        webhook: { url: `https://example.com/${private_}`, secret: `whsec_${'A'.repeat(32)}` },
      });
    expect((await service('one')).status).toBe(202);
    const id = (await gateway.services.byName('default', 'one')) ?? '';
    expect(Number(await redis.call('MEMORY', 'USAGE', keys.service(id), 'SAMPLES', '0'))).toBeLessThan(
      3.2 * MB,
    );
    const shown = (await (await on.call('GET', '/v1/services/one')).json()) as { request: object };
    expect(shown.request).toMatchObject({ command: [private_], env: { A: '***' }, files });
    expect((await service('two')).status).toBe(202);
    await problemOf(await service('three'), 429, 'quota_exceeded');
    await problemOf(await on.call('POST', '/v1/runs', stdinOf(3 * MB)), 429, 'quota_exceeded');
    // Its event as well, on its way.
    await gateway.outbox.watch('default', 60_000);
    for (const name of ['one', 'two']) {
      const record = await gateway.services.read((await gateway.services.byName('default', name)) ?? '');
      if (record === undefined) throw new Error('the service is not there');
      const whole = await gateway.services.whole(record);
      expect(whole.request?.webhook).toMatchObject({ secret: '***' });
      await settleService(gateway, record, 'removed', {});
      for (const key of await redis.keys(`${keys.base}*`))
        expect((await redis.dumpBuffer(key))?.includes(private_), key).toBe(false);
      const [member = ''] = await gateway.outbox.oldest(1);
      const due = await gateway.outbox.dueOfService(member);
      expect(JSON.parse(due?.body ?? '')).toMatchObject({
        ...{ type: 'service.removed', data: { request: { command: [private_], files: [{ content: '' }] } } },
      });
      await gateway.outbox.discard(member);
      expect(await gateway.services.gone(record, undefined)).toBe(true);
    }
    await redis.del(keys.listeners('default'));
    expect(await counted()).toEqual([0, 0]);
  });

  test('a service that an earlier version stored is shown, opened and removed as if nothing were', async () => {
    const { redis, keys, gateway } = on;
    const given = { name: 'older', image: 'busybox', command: ['sh'], env: { A: 'b' } };
    expect((await on.call('POST', '/v1/services', given)).status).toBe(202);
    const id = (await gateway.services.byName('default', 'older')) ?? '';
    const { head } = (await gateway.services.read(id)) ?? {};
    const request = head && (await gateway.services.request(head));
    if (head === undefined || request === undefined) throw new Error('the service is not there');
    const { told: _, ...older } = head;
    const masked = { ...request, env: { A: '***' } };
    await redis.hset(keys.service(id), 'head', JSON.stringify({ ...older, request: masked }));
    await redis.hset(keys.service(id), 'spec', gateway.sealer.seal(JSON.stringify(request), `service:${id}`));
    await redis.hdel(keys.service(id), 'payload');
    const shown = (await (await on.call('GET', '/v1/services/older')).json()) as { request: object };
    expect(shown.request).toEqual(masked);
    const record = await gateway.services.read(id);
    if (record === undefined) throw new Error('the service is not there');
    expect(await gateway.services.request(record.head)).toMatchObject(given);
    expect(await gateway.services.gone(record, undefined)).toBe(true);
    expect(await counted()).toEqual([0, 0]);
  });

  test('they stand among the metrics', async () => {
    const { id } = await runOf(await on.call('POST', '/v1/runs', stdinOf(2 * MB)), 202);
    const text = await (await on.call('GET', '/metrics')).text();
    expect(Number(/^runlet_open_bytes (\d+)/m.exec(text)?.[1])).toBeGreaterThan(2 * MB);
    expect(Number(/^runlet_redis_memory_bytes\{kind="most"\} (\d+)/m.exec(text)?.[1])).toBeGreaterThan(0);
    await cancel(id);
  });
});
