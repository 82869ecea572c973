import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../../shared/contracts/run.ts';
import type { Delivery, Webhook } from '../../../shared/contracts/webhook.ts';
import { newId } from '../../../shared/ids.ts';
import { type Call, problemOf, startGateway, type TestGateway } from '../../gateway/support.ts';

let on: TestGateway;
let ours: Call;
let theirs: Call;

beforeAll(async () => {
  on = await startGateway();
  ours = await on.caller('ours');
  theirs = await on.caller('theirs', 'user');
});
afterAll(async () => {
  const { deliveries, webhooks } = on.gateway;
  for (const id of await deliveries.ids('ours', {}, undefined, 100)) {
    const one = await deliveries.read(id);
    const attempt = { at: '', durationMs: 0, statusCode: 204, error: null, response: null };
    if (one !== undefined) await deliveries.settle(one, { outcome: 'delivered', attempt });
    await deliveries.drop(id);
  }
  for (const one of await webhooks.list('ours')) await webhooks.remove({ ...one, tenant: 'ours' });
  await on.stop();
});

async function body<T>(answer: Promise<Response>, status: number): Promise<T> {
  const response = await answer;
  const text = await response.text();
  expect(response.status, text).toBe(status);
  return JSON.parse(text) as T;
}
const url = 'https://hooks.example/';
const list = { data: [], nextCursor: null };

test('an endpoint of another tenant is not there, whatever is asked of it', async () => {
  const made = await body<Webhook>(ours('POST', '/v1/webhooks', { url, events: ['*'] }), 201);
  const before = await body<Webhook>(ours('GET', `/v1/webhooks/${made.id}`), 200);
  for (const id of [made.id, newId('whk'), 'whk_x'])
    for (const [method, path, sent] of [
      ['GET', '', undefined],
      ['PATCH', '', { enabled: false }],
      ['PATCH', '', { url: 'https://elsewhere.example/' }],
      ['DELETE', '', undefined],
      ['POST', '/rotate', undefined],
      ['POST', '/test', undefined],
    ] as const)
      await problemOf(await theirs(method, `/v1/webhooks/${id}${path}`, sent), 404, 'not_found');
  expect(await body(theirs('GET', '/v1/webhooks'), 200)).toEqual(list);
  expect(await body(ours('GET', `/v1/webhooks/${made.id}`), 200)).toEqual(before);
});

test('nor is a delivery', async () => {
  const made = await body<Webhook>(ours('POST', '/v1/webhooks', { url }), 201);
  const delivery = await body<Delivery>(ours('POST', `/v1/webhooks/${made.id}/test`), 202);
  const run = await body<Run>(ours('POST', '/v1/runs', { image: 'busybox' }), 202);
  for (const id of [delivery.id, newId('del'), 'del_x']) {
    await problemOf(await theirs('GET', `/v1/deliveries/${id}`), 404, 'not_found');
    await problemOf(await theirs('POST', `/v1/deliveries/${id}/redeliver`), 404, 'not_found');
  }
  const since = '2020-01-01T00:00:00.000Z';
  const all = { since, endpoint: made.id };
  await problemOf(await theirs('POST', '/v1/deliveries/redeliver', all), 404, 'not_found');
  for (const query of ['', `?endpoint=${made.id}`, `?run=${run.id}`, '?status=pending'])
    expect(await body(theirs('GET', `/v1/deliveries${query}`), 200)).toEqual(list);
  expect(await body(theirs('POST', '/v1/deliveries/redeliver', { since }), 202)).toEqual({
    count: 0,
    complete: true,
  });
  expect(await body(ours('GET', `/v1/deliveries/${delivery.id}`), 200)).toEqual(delivery);
  expect(await body(ours('GET', `/v1/deliveries?endpoint=${made.id}`), 200)).toEqual({
    data: [delivery],
    nextCursor: null,
  });
});

test('a run’s end is for its own tenant’s endpoints', async () => {
  const { runs, outbox } = on.gateway;
  const mine = await body<Webhook>(ours('POST', '/v1/webhooks', { url }), 201);
  const run = await body<Run>(theirs('POST', '/v1/runs', { image: 'busybox' }), 202);
  await theirs('POST', `/v1/runs/${run.id}/cancel`);
  expect(await runs.status(run.id)).toBe('cancelled');
  expect(await outbox.size()).toBe(0);
  await ours('DELETE', `/v1/webhooks/${mine.id}`);
});
