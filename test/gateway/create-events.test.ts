import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sseReader } from './sse.ts';
import { pathsOf, problemOf, runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

// POST /v1/runs with `Accept: text/event-stream`: the run is stored, and its events are the answer.

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };
const create = (body: unknown, headers: Record<string, string> = {}) =>
  on.call('POST', '/v1/runs', body, { accept: 'text/event-stream', ...headers });
const idOf = (answer: Response) => answer.headers.get('location')?.replace('/v1/runs/', '') ?? '';

test('the answer is the events of the run, from the first to exit, and names the run', async () => {
  const answer = await create(image);
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const id = idOf(answer);
  const worker = actAsWorker(on);
  const holder = await worker.start(id);
  await worker.out(holder, 'hello\n');
  await worker.finish(holder);
  const events = await sseReader(answer).all();
  expect(events.map(({ event }) => event)).toEqual(['status', 'status', 'stdout', 'exit']);
  // Its ids are those of the run's own stream, so a client goes on there.
  const followed = await on.call('GET', `/v1/runs/${id}/events`, undefined, {
    'last-event-id': events[1]?.id ?? '',
  });
  expect(await sseReader(followed).all()).toEqual(events.slice(2));
});

describe('who gets events, and who the run', () => {
  test.each([
    ['text/event-stream', true],
    ['text/event-stream, application/json;q=0.5', true],
    ['application/json, text/event-stream', false],
    ['application/json;q=0.5, text/event-stream;q=0.4', false],
    ['text/event-stream;q=0', false],
    ['*/*', false],
    ['text/html', false],
  ])('%s: %s', async (accept, asEvents) => {
    const answer = await create(image, { accept });
    expect(answer.status).toBe(asEvents ? 200 : 202);
    expect(answer.headers.get('content-type')?.startsWith('text/event-stream')).toBe(asEvents);
    await answer.body?.cancel();
  });
});

test('what is refused is refused by a problem, and nothing is stored', async () => {
  const before = await on.gateway.runs.ids('default', undefined, 100);
  const refused = await problemOf(await create({ image: 'No Image' }), 400, 'validation_failed');
  expect(pathsOf(refused)).toEqual(['image']);
  const prefers = await problemOf(await create(image, { prefer: 'wait=soon' }), 400, 'validation_failed');
  expect(pathsOf(prefers)).toEqual(['Prefer']);
  // A secret that is made would be shown nowhere.
  const unsigned = { ...image, webhook: { url: 'https://hooks.example/' } };
  const webhook = await problemOf(await create(unsigned), 400, 'validation_failed');
  expect(pathsOf(webhook)).toEqual(['webhook.secret']);
  expect(await on.gateway.runs.ids('default', undefined, 100)).toEqual(before);
});

describe('with an Idempotency-Key', () => {
  test('the same run’s events come again, whichever answer was asked for first', async () => {
    const key = { 'idempotency-key': 'once-as-events' };
    const first = await create(image, key);
    const worker = actAsWorker(on);
    await worker.perform(idOf(first));
    const events = await sseReader(first).all();
    const again = await create(image, key);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(idOf(again)).toBe(idOf(first));
    expect(await sseReader(again).all()).toEqual(events);
    const asRun = await on.call('POST', '/v1/runs', image, key);
    expect((await runOf(asRun, 202)).id).toBe(idOf(first));
  });

  test('a run that was forgotten since is not found', async () => {
    const key = { 'idempotency-key': 'once-and-forgotten' };
    const first = await create(image, key);
    await actAsWorker(on).perform(idOf(first));
    await sseReader(first).all();
    expect((await on.call('DELETE', `/v1/runs/${idOf(first)}`)).status).toBe(204);
    await problemOf(await create(image, key), 404, 'not_found');
  });
});

test('a client that leaves leaves the run to itself', async () => {
  const answer = await create(image);
  await sseReader(answer).close();
  const id = idOf(answer);
  await actAsWorker(on).perform(id);
  expect((await runOf(await on.call('GET', `/v1/runs/${id}`), 200)).status).toBe('succeeded');
});
