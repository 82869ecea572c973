import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProblemBody } from '../../shared/contracts/problem.ts';
import type { Delivery, Webhook } from '../../shared/contracts/webhook.ts';
import { sseReader } from './sse.ts';
import { type Call, startGateway, type TestGateway } from './support.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_WEBHOOK_ALLOW: 'hooks.internal,10.1.0.0/16' });
});
afterAll(() => on.stop());

type Made = Webhook & { secret: string };

async function make(call: Call, body: unknown = { url: 'https://example.com/hook' }): Promise<Made> {
  const answer = await call('POST', '/v1/webhooks', body);
  expect(answer.status).toBe(201);
  return (await answer.json()) as Made;
}

describe('an endpoint', () => {
  test('is made, with its secret shown this once', async () => {
    const answer = await on.call('POST', '/v1/webhooks', {
      url: 'https://example.com/hook',
      events: ['run.finished', 'service.*'],
    });
    const made = (await answer.json()) as Made;
    expect(answer.headers.get('location')).toBe(`/v1/webhooks/${made.id}`);
    expect(made).toMatchObject({
      id: expect.stringMatching(/^whk_[0-9a-f]{32}$/),
      events: ['run.finished', 'service.*'],
      enabled: true,
      disabledReason: null,
      secretExpiresAt: null,
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
    });
    const { secret: _, ...shown } = made;
    expect(await (await on.call('GET', `/v1/webhooks/${made.id}`)).json()).toEqual(shown);
    const { data } = (await (await on.call('GET', '/v1/webhooks?limit=100')).json()) as { data: Webhook[] };
    expect(data).toContainEqual(shown);
  });

  test('is changed field by field, and removed', async () => {
    const made = await make(on.call);
    const path = `/v1/webhooks/${made.id}`;
    const patched = await on.call('PATCH', path, { url: 'http://10.1.2.3:8000/x' });
    expect(await patched.json()).toMatchObject({ url: 'http://10.1.2.3:8000/x', events: ['run.finished'] });
    const off = await on.call('PATCH', path, { enabled: false });
    expect(await off.json()).toMatchObject({ enabled: false, disabledReason: 'owner' });
    expect((await on.call('POST', `${path}/test`)).status).toBe(409);
    const back = await on.call('PATCH', path, { enabled: true, events: ['*'] });
    expect(await back.json()).toMatchObject({ enabled: true, disabledReason: null, events: ['*'] });
    expect((await on.call('DELETE', path)).status).toBe(204);
    for (const [method, rest] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
      ['POST', '/test'],
    ] as const)
      expect((await on.call(method, `${path}${rest}`)).status, method + rest).toBe(404);
  });

  test('is made once for an Idempotency-Key, and its secret is not told again', async () => {
    const headers = { 'idempotency-key': randomBytes(8).toString('hex') };
    const body = { url: 'https://example.com/once' };
    const first = await on.call('POST', '/v1/webhooks', body, headers);
    const made = (await first.json()) as Made;
    const again = await on.call('POST', '/v1/webhooks', body, headers);
    const { secret: _, ...shown } = made;
    expect([again.status, again.headers.get('idempotent-replayed'), await again.json()]).toEqual([
      201,
      'true',
      shown,
    ]);
    expect((await on.call('POST', '/v1/webhooks', { url: 'https://example.com/2' }, headers)).status).toBe(
      422,
    );
  });

  test.each([
    ['no URL', {}, 'url'],
    ['a relative URL', { url: '/hook' }, 'url'],
    ['another scheme', { url: 'file:///etc/passwd' }, 'url'],
    ['a user', { url: 'https://me@example.com' }, 'url'],
    ['a fragment', { url: 'https://example.com/#x' }, 'url'],
    ['loopback', { url: 'http://127.0.0.1:3000' }, 'url'],
    ['loopback in hex', { url: 'http://0x7f000001:3000' }, 'url'],
    ['loopback by name', { url: 'http://localhost.:3000' }, 'url'],
    ['the metadata service', { url: 'http://169.254.169.254/latest' }, 'url'],
    ['a mapped address', { url: 'http://[::ffff:10.0.0.1]/' }, 'url'],
    ['a port of another service', { url: 'https://example.com:22' }, 'url'],
    ['no events', { url: 'https://example.com', events: [] }, 'events'],
    ['an unknown event', { url: 'https://example.com', events: ['run.began'] }, 'events[0]'],
    ['an unknown field', { url: 'https://example.com', secret: 'x' }, 'secret'],
  ])('with %s is refused', async (_, body, path) => {
    const answer = await on.call('POST', '/v1/webhooks', body);
    expect(answer.status).toBe(400);
    const { errors } = (await answer.json()) as ProblemBody;
    expect(errors?.map((one) => one.path)).toEqual([path]);
  });

  test('may have an address that the operator allows', async () => {
    for (const url of ['http://10.1.0.1', 'http://hooks.internal/x'])
      expect((await on.call('POST', '/v1/webhooks', { url })).status).toBe(201);
    expect((await on.call('POST', '/v1/webhooks', { url: 'http://10.2.0.1' })).status).toBe(400);
  });

  test('is nobody else’s, and there are fifty of them at the most', async () => {
    const made = await make(on.call);
    const stranger = await on.caller(`t${randomBytes(4).toString('hex')}`);
    for (const [method, path] of [
      ['GET', `/v1/webhooks/${made.id}`],
      ['PATCH', `/v1/webhooks/${made.id}`],
      ['DELETE', `/v1/webhooks/${made.id}`],
      ['POST', `/v1/webhooks/${made.id}/rotate`],
      ['POST', `/v1/webhooks/${made.id}/test`],
    ] as const)
      expect((await stranger(method, path, method === 'PATCH' ? { enabled: false } : undefined)).status).toBe(
        404,
      );
    const deliveries = await stranger('GET', `/v1/deliveries?endpoint=${made.id}`);
    expect(await deliveries.json()).toEqual({ data: [], nextCursor: null });
    for (let i = 0; i < 50; i += 1) await make(stranger, { url: `https://example.com/${i}` });
    const refused = await stranger('POST', '/v1/webhooks', { url: 'https://example.com/51' });
    expect([refused.status, ((await refused.json()) as ProblemBody).code]).toEqual([429, 'quota_exceeded']);
  });
});

describe('deliveries', () => {
  test('are listed newest first, page by page, by endpoint and by status', async () => {
    const call = await on.caller(`t${randomBytes(4).toString('hex')}`);
    const [one, two] = [await make(call), await make(call, { url: 'https://example.com/two' })];
    const ids: string[] = [];
    for (const webhook of [one, two, one, one]) {
      const answer = await call('POST', `/v1/webhooks/${webhook.id}/test`);
      expect(answer.status).toBe(202);
      ids.unshift(((await answer.json()) as Delivery).id);
    }
    const page = async (query: string) =>
      (await (await call('GET', `/v1/deliveries?${query}`)).json()) as {
        data: Delivery[];
        nextCursor: string | null;
      };
    const first = await page('limit=3');
    expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 3));
    const second = await page(`limit=3&cursor=${first.nextCursor}`);
    expect(second).toMatchObject({ data: [{ id: ids[3] }], nextCursor: null });
    expect((await page(`endpoint=${two.id}`)).data.map(({ id }) => id)).toEqual([ids[2]]);
    expect((await page('status=delivered')).data).toEqual([]);
    expect((await page('status=pending')).data).toHaveLength(4);
    expect(first.data[0]).toMatchObject({ status: 'pending', attempts: [], run: null, endpoint: one.id });
  });

  test('of a bad query are refused, with the field', async () => {
    for (const query of ['endpoint=x', 'run=whk_1', 'status=lost', 'cursor=zzz', 'limit=0']) {
      const answer = await on.call('GET', `/v1/deliveries?${query}`);
      const { errors } = (await answer.json()) as ProblemBody;
      expect([answer.status, errors?.[0]?.path]).toEqual([400, query.split('=')[0]]);
    }
    expect((await on.call('GET', '/v1/deliveries/del_1')).status).toBe(404);
    expect((await on.call('POST', '/v1/deliveries/redeliver', { since: 'yesterday' })).status).toBe(400);
  });
});

test('the stream of events begins now, filters, and resumes after an id', async () => {
  const tenant = `t${randomBytes(4).toString('hex')}`;
  const call = await on.caller(tenant);
  const publish = (n: number, streamed = true) =>
    on.gateway.deliveries.publish(
      {
        tenant,
        type: 'run.finished',
        runId: undefined,
        body: JSON.stringify({ type: 'run.finished', data: n }),
      },
      [],
      { streamed },
    );
  await publish(0);
  const answer = await call('GET', '/v1/events?events=run.*');
  expect(await on.gateway.outbox.watched(tenant)).toBe(true);
  const reader = sseReader(answer);
  await publish(1);
  await publish(2);
  const first = await reader.next();
  expect(first).toMatchObject({ event: 'run.finished' });
  expect(JSON.parse(first?.data ?? '')).toMatchObject({
    type: 'run.finished',
    webhookId: expect.stringMatching(/^evt_/),
    payload: { type: 'run.finished', data: 1 },
  });
  await reader.close();
  const resumed = sseReader(await call('GET', '/v1/events', undefined, { 'last-event-id': first?.id ?? '' }));
  expect(JSON.parse((await resumed.next())?.data ?? '')).toMatchObject({ payload: { data: 2 } });
  await resumed.close();
  expect((await call('GET', '/v1/events?events=nothing')).status).toBe(400);
});
