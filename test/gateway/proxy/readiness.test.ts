import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support.ts';
import {
  type Container,
  call,
  type Proxied,
  problemIn,
  startContainer,
  startProxied,
  type TestService,
} from './support.ts';

let on: Proxied;
let container: Container;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  container = await startContainer((_, outgoing) => outgoing.end('here'));
  on = await startProxied({ RUNLET_SERVICE_WAIT_MS: '20000' });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

/** Does what a worker does with the commands that it is sent. */
function actAsWorker(service: TestService, act: () => Promise<unknown>) {
  const heard: unknown[] = [];
  let running = true;
  const work = (async () => {
    while (running) {
      const command = await on.gateway.workers.take(service.worker);
      if (command === undefined) {
        await sleep(10);
        continue;
      }
      heard.push(command);
      await act();
    }
  })();
  stops.push(async () => {
    running = false;
    await work;
  });
  return heard;
}

async function asleep(): Promise<TestService> {
  const service = await on.service({ at: container.port });
  await on.gateway.services.goIdle(service.holder, Date.now() + 1_000, 'idle');
  await service.report('idle', { place: null });
  return service;
}

const isWanted = (service: TestService) => async () =>
  (await on.gateway.services.read(service.id))?.wanted === 'running';

describe('idle', () => {
  test('a hundred requests at once wake it once, wait, and are all answered', async () => {
    const service = await asleep();
    const heard = actAsWorker(service, async () => {
      await sleep(300);
      await service.report('ready');
    });
    const answers = await Promise.all(Array.from({ length: 100 }, () => call(on.port, service.host)));
    expect(answers.map(({ body }) => body)).toEqual(Array(100).fill('here'));
    expect(heard).toEqual([{ kind: 'service', service: service.id }]);
    const record = await on.gateway.services.read(service.id);
    expect(record).toMatchObject({ wanted: 'running', status: 'ready', restart: 1 });
  });

  test('its container may still run: it is woken all the same', async () => {
    const service = await on.service({ at: container.port });
    expect((await call(on.port, service.host)).body).toBe('here');
    await on.gateway.services.goIdle(service.holder, Date.now() + 10_000, 'idle');
    // What was known of it a moment ago would have been good for two seconds: it has been told.
    await sleep(1_000);
    const heard = actAsWorker(service, () => service.report('ready'));
    expect((await call(on.port, service.host)).body).toBe('here');
    expect(heard).toHaveLength(1);
    expect(await on.gateway.services.read(service.id)).toMatchObject({ wanted: 'running' });
  });

  test('the body is not read while it is waited for', async () => {
    const service = await asleep();
    const outgoing = request({
      ...{ host: '127.0.0.1', port: on.port, method: 'POST', agent: false },
      headers: { host: service.host, 'content-length': 200 * 2 ** 20 },
    });
    outgoing.on('error', () => {});
    const answered = once(outgoing, 'response');
    const block = Buffer.alloc(2 ** 20);
    let sent = 0;
    const more = () => {
      while (sent < 200 && outgoing.write(block)) sent += 1;
      if (sent === 200) outgoing.end();
    };
    outgoing.on('drain', more);
    more();
    await until(isWanted(service));
    await sleep(700);
    expect(sent).toBeLessThan(60);
    await service.report('ready');
    const [answer] = await answered;
    expect(answer.statusCode).toBe(200);
    outgoing.destroy();
  });

  test('a client that goes ends its wait', async () => {
    const service = await asleep();
    const outgoing = request({
      ...{ host: '127.0.0.1', port: on.port, agent: false },
      headers: { host: service.host },
    });
    outgoing.on('error', () => {});
    outgoing.end();
    await until(isWanted(service));
    const before = container.seen.length;
    outgoing.destroy();
    await until(async () => on.sockets.size === 0);
    await service.report('ready');
    await sleep(700);
    expect(container.seen.length).toBe(before);
  });

  test('one that nobody can take is waited for no longer than the operator says', async () => {
    const other = await startProxied({ RUNLET_SERVICE_WAIT_MS: '400' });
    const { host, name } = await other.service({ unassigned: true });
    const answer = await call(other.port, host);
    expect(problemIn(answer)).toMatchObject({ status: 503, code: 'service_not_ready' });
    expect(problemIn(answer).detail).toContain(name);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await other.stop();
  });
});

test('starting: requests wait', async () => {
  const service = await on.service({ at: container.port, status: 'starting', place: null });
  const answer = call(on.port, service.host);
  await sleep(300);
  await service.report('ready');
  expect((await answer).body).toBe('here');
});

test('starting, and then it fails: the wait ends with the reason', async () => {
  const service = await on.service({ at: container.port, status: 'starting', place: null });
  const answer = call(on.port, service.host);
  await sleep(300);
  const error = {
    ...{ type: 'about:blank', title: 'x', status: 404, code: 'image_not_found' },
    detail: 'There is no image busybux.',
  };
  await service.report('failed', { error, place: null });
  const problem = problemIn(await answer);
  expect(problem).toMatchObject({ status: 503, code: 'service_crashed' });
  expect(problem.detail).toContain('There is no image busybux.');
});

test.each([
  ['failed', 'service_crashed'],
  ['crash_looping', 'service_crashed'],
  ['stopped', 'service_stopped'],
] as const)('%s: 503 %s, and when to try again', async (status, code) => {
  const { host } = await on.service({ at: container.port, status, place: null });
  const answer = await call(on.port, host);
  expect(problemIn(answer)).toMatchObject({ status: 503, code });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
});

test('stopped by its owner: no request wakes it', async () => {
  const service = await on.service({ at: container.port });
  expect((await call(on.port, service.host)).status).toBe(200);
  await on.gateway.services.want(service.id, 'stopped');
  await until(async () => (await call(on.port, service.host)).status === 503);
  expect(problemIn(await call(on.port, service.host)).code).toBe('service_stopped');
  expect((await on.gateway.services.read(service.id))?.wanted).toBe('stopped');
});

test('removed: its name is nobody’s, and can be somebody’s again', async () => {
  const service = await on.service({ at: container.port });
  expect((await call(on.port, service.host)).status).toBe(200);
  const record = await on.gateway.services.read(service.id);
  if (record !== undefined) await on.gateway.services.gone(record, undefined);
  await until(async () => (await call(on.port, service.host)).status === 401);
  await on.service({ at: container.port, name: service.name });
  expect((await call(on.port, service.host)).body).toBe('here');
});

test('given to another engine it is starting until it is up there: what was its address is called no more', async () => {
  const service = await on.service({ at: container.port, state: { restarts: 2 } });
  expect((await call(on.port, service.host)).body).toBe('here');
  const before = await on.gateway.services.read(service.id);
  if (before === undefined) throw new Error('it is gone');
  expect(await on.gateway.services.assign(before, 'wrk_other', 'another engine')).toBe(true);
  expect(await on.gateway.services.read(service.id)).toMatchObject({
    ...{ worker: 'wrk_other', engine: 'another engine', generation: 2, status: 'starting' },
    state: { place: null, startedAt: null, readyAt: null, restarts: 2 },
  });
  const seen = container.seen.length;
  const answer = call(on.port, service.host);
  await sleep(300);
  expect(container.seen).toHaveLength(seen);
  const holder = { ...service.holder, worker: 'wrk_other', generation: 2 };
  await on.gateway.services.report(holder, 'ready', service.state);
  expect((await answer).body).toBe('here');
});

test('given to another worker of its engine it is served on', async () => {
  const service = await on.service({ at: container.port });
  const before = await on.gateway.services.read(service.id);
  if (before === undefined) throw new Error('it is gone');
  await on.gateway.services.assign(before, 'wrk_next', 'engine');
  const { status, state } = before;
  expect(await on.gateway.services.read(service.id)).toMatchObject({ worker: 'wrk_next', status, state });
  expect((await call(on.port, service.host)).body).toBe('here');
});

test('a service without a port is not called by HTTP', async () => {
  const { host } = await on.service({ request: { port: undefined, tcpPorts: [3306] } });
  expect(problemIn(await call(on.port, host))).toMatchObject({ status: 404 });
});

test('in another network it is reached where its port is published', async () => {
  const elsewhere = { netns: 'another network', address: '127.0.0.9', host: '127.0.0.1' };
  const { host } = await on.service({ at: 80, place: { ...elsewhere, ports: { 80: container.port } } });
  expect((await call(on.port, host)).body).toBe('here');
  const hidden = await on.service({ at: 80, place: { ...elsewhere, ports: {} } });
  const answer = await call(on.port, hidden.host);
  expect(problemIn(answer)).toMatchObject({ status: 502, code: 'service_unreachable' });
});

test('one that has moved since it was last heard of is found where it is now', async () => {
  const first = await startContainer((_, outgoing) => outgoing.end('first'));
  const service = await on.service({ at: 80, place: { netns: '', ports: { 80: first.port } } });
  expect((await call(on.port, service.host)).body).toBe('first');
  await first.stop();
  // Past the store, and so without a hint.
  const place = { netns: '', address: '127.0.0.1', host: '127.0.0.1', ports: { 80: container.port } };
  const state = JSON.stringify({ ...service.state, place });
  await on.redis.hset(on.keys.service(service.id), 'state', state);
  expect((await call(on.port, service.host, '/', { method: 'POST', body: 'x' })).body).toBe('here');
});

describe('its idle clock', () => {
  const lastUsedAt = async (id: string) => (await on.gateway.services.read(id))?.lastUsedAt ?? 0;

  test('begins anew with each request, and is told of at most once a second', async () => {
    const { host, id } = await on.service({ at: container.port });
    const began = Date.now();
    const told = new Set<number>();
    while (Date.now() - began < 3_000) {
      await call(on.port, host);
      told.add(await lastUsedAt(id));
    }
    const seconds = (Date.now() - began) / 1_000;
    expect(told.size).toBeGreaterThan(2);
    // One from its making, one at the first call, one when the subscription stood.
    expect(told.size).toBeLessThanOrEqual(seconds + 4);
  });

  test('is told of the last of many by its own time', async () => {
    const { host, id } = await on.service({ at: container.port });
    await call(on.port, host);
    await sleep(300);
    const before = Date.now();
    await call(on.port, host);
    const after = Date.now();
    // Of this one a while later, when all that came with it is told at once.
    await until(async () => (await lastUsedAt(id)) >= before);
    expect(await lastUsedAt(id)).toBeLessThanOrEqual(after + 50);
    await sleep(1_500);
    expect(await lastUsedAt(id)).toBeLessThanOrEqual(after + 50);
  });

  test('does not run while something is open, however quiet', async () => {
    const quiet = await startContainer((_, outgoing) => outgoing.writeHead(200).flushHeaders());
    const { host, id } = await on.service({ at: quiet.port });
    const outgoing = request({ host: '127.0.0.1', port: on.port, agent: false, headers: { host } });
    outgoing.on('error', () => {});
    outgoing.end();
    const [incoming] = await once(outgoing, 'response');
    incoming.on('error', () => {});
    const before = await lastUsedAt(id);
    await until(async () => (await lastUsedAt(id)) - before > 1_500);
    outgoing.destroy();
    await until(async () => quiet.sockets.size === 0);
    await sleep(1_500);
    const after = await lastUsedAt(id);
    await sleep(2_000);
    expect(await lastUsedAt(id)).toBe(after);
    await quiet.stop();
  });
});

test('without the store, services that are known go on being served', async () => {
  const service = await on.service({ at: container.port });
  expect((await call(on.port, service.host)).body).toBe('here');
  const { redis } = on;
  redis.disconnect();
  await sleep(2_500);
  try {
    expect((await call(on.port, service.host)).body).toBe('here');
    const unknown = await call(on.port, 'never-heard-of.localhost');
    expect(problemIn(unknown)).toMatchObject({ status: 503, code: 'store_unavailable' });
  } finally {
    await redis.connect();
  }
});
