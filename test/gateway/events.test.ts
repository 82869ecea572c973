import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runEventStream } from '../../services/gateway/runs/event-stream.ts';
import { liveMemory } from '../support/memory.ts';
import { type SseEvent, sseReader } from './sse.ts';
import { pathsOf, problemOf, runOf, startGateway, type TestGateway, until } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());

const newRun = async () => (await runOf(await on.call('POST', '/v1/runs', { image: 'hello-world' }), 202)).id;
const follow = async (id: string, lastEventId?: string) => {
  const response = await on.call('GET', `/v1/runs/${id}/events`, undefined, {
    ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  return sseReader(response);
};

test('events come as they happen, in order, and end with exit', async () => {
  const id = await newRun();
  const stream = await follow(id);
  const seen = async () => {
    const event = await stream.next();
    const { type, ...data } = JSON.parse(event?.data ?? '{}') as { type?: string };
    // Generated clients hand out the data alone: the type is in it.
    expect(type).toBe(event?.event);
    return [type, data];
  };
  expect(await seen()).toEqual(['status', expect.objectContaining({ status: 'queued', attempt: 0 })]);
  const worker = actAsWorker(on);
  const holder = await worker.start(id);
  expect(await seen()).toEqual(['status', expect.objectContaining({ status: 'running', attempt: 1 })]);
  const pull = { reference: 'hello-world:latest', status: 'pulling', layers: [] };
  await worker.append(holder, { type: 'pull', data: JSON.stringify(pull) });
  expect(await seen()).toEqual(['pull', pull]);
  await worker.append(
    holder,
    { type: 'stdout', data: 'line\nline\r\n' },
    { type: 'stderr', data: Buffer.from([255, 0]) },
  );
  expect(await seen()).toEqual(['stdout', { data: 'line\nline\r\n', encoding: 'utf8' }]);
  expect(await seen()).toEqual([
    'stderr',
    { data: Buffer.from([255, 0]).toString('base64'), encoding: 'base64' },
  ]);
  await worker.finish(holder, 'failed', { exitCode: 3 });
  expect(await seen()).toEqual([
    'exit',
    expect.objectContaining({ status: 'failed', exitCode: 3, error: null }),
  ]);
  expect(await stream.next()).toBeUndefined();
});

test('a hint that is lost delays an event, and loses none', async () => {
  const id = await newRun();
  const stream = await follow(id);
  await stream.next();
  // Written without a word to anybody.
  await on.redis.xadd(on.keys.events(id), '*', 't', 'stdout', 'a', '1', 'd', 'quiet');
  expect(await stream.next()).toMatchObject({
    event: 'stdout',
    data: '{"type":"stdout","data":"quiet","encoding":"utf8"}',
  });
  await stream.close();
});

describe('resume', () => {
  test('at every event: nothing lost, nothing doubled, also after the end', async () => {
    const id = await newRun();
    const worker = actAsWorker(on);
    const holder = await worker.start(id);
    for (let i = 0; i < 40; i++) await worker.out(holder, `${i}`);
    await worker.finish(holder);
    const all = await (await follow(id)).all();
    expect(all.map(({ event }) => event)).toEqual(['status', 'status', ...Array(40).fill('stdout'), 'exit']);
    for (let at = 0; at < all.length - 1; at++)
      expect(await (await follow(id, all[at]?.id)).all()).toEqual(all.slice(at + 1));
    const response = await on.call('GET', `/v1/runs/${id}/events`, undefined, {
      'last-event-id': all.at(-1)?.id ?? '',
    });
    expect(response.status).toBe(204);
    expect(await response.text()).toBe('');
  });

  test('again and again while the program writes', async () => {
    const id = await newRun();
    const worker = actAsWorker(on);
    const holder = await worker.start(id);
    const writing = (async () => {
      for (let i = 0; i < 300; i++) await worker.out(holder, `${i}\n`);
      await worker.finish(holder);
    })();
    const seen: SseEvent[] = [];
    while (seen.at(-1)?.event !== 'exit') {
      const stream = await follow(id, seen.at(-1)?.id);
      // Each connection breaks after some events.
      for (let i = 0; i < 17; i++) {
        const event = await stream.next();
        if (event === undefined) break;
        seen.push(event);
      }
      await stream.close();
    }
    await writing;
    const text = seen.filter(({ event }) => event === 'stdout').map(({ data }) => JSON.parse(data).data);
    expect(text).toEqual(Array.from({ length: 300 }, (_, i) => `${i}\n`));
    expect(new Set(seen.map((event) => event.id)).size).toBe(seen.length);
  });

  test.each([
    '',
    'x',
    '1',
    '1-',
    '-1',
    '1-2-3',
    '99999999999999999999-0',
    '1-99999999999999999999',
    "0-0' OR",
  ])('a Last-Event-ID that cannot be: %s', async (value) => {
    const response = await on.call('GET', `/v1/runs/${await newRun()}/events`, undefined, {
      'last-event-id': value,
    });
    expect(pathsOf(await problemOf(response, 400, 'validation_failed'))).toEqual(['Last-Event-ID']);
  });

  test('an id from beyond the end of an ended run is answered 204', async () => {
    const id = await newRun();
    await actAsWorker(on).perform(id);
    for (const value of ['18446744073709551614-18446744073709551614', '99999999999999-0']) {
      const response = await on.call('GET', `/v1/runs/${id}/events`, undefined, { 'last-event-id': value });
      expect(response.status).toBe(204);
    }
  });
});

test('a run that is tried again streams all of its attempts', async () => {
  const id = await newRun();
  const first = actAsWorker(on);
  await first.out(await first.start(id), 'one');
  await on.redis.hset(on.keys.run(id), 'status', 'pulling');
  const second = actAsWorker(on);
  await second.perform(id, 'two');
  const events = await (await follow(id)).all();
  expect(events.filter(({ event }) => event === 'stdout').map(({ data }) => JSON.parse(data).data)).toEqual([
    'one',
    'two',
  ]);
});

test('a run that is forgotten on the way ends the stream', async () => {
  const id = await newRun();
  const stream = await follow(id);
  await stream.next();
  const record = await on.gateway.runs.read(id);
  if (record === undefined) throw new Error('no record');
  await on.gateway.runs.endUnheld(record, 'cancelled', {});
  await on.gateway.runs.forget(id, 'default');
  const rest = await stream.all();
  expect(rest.every(({ event }) => event === 'exit')).toBe(true);
});

test('a quiet stream has its heartbeat', async () => {
  const id = await newRun();
  const stream = sseReader(new Response(runEventStream(on.gateway, id, '0', 50)));
  await stream.next();
  expect(await stream.comment()).toBe('heartbeat');
  await stream.close();
});

test('subscriptions end with their streams', async () => {
  const id = await newRun();
  const streams = await Promise.all(Array.from({ length: 5 }, () => follow(id)));
  await Promise.all(streams.map((stream) => stream.next()));
  const channels = () => on.redis.pubsub('CHANNELS', on.keys.wake(id)) as Promise<string[]>;
  await until(async () => (await channels()).length === 1);
  for (const stream of streams) await stream.close();
  await until(async () => (await channels()).length === 0);
});

test('HEAD holds nothing open', async () => {
  const id = await newRun();
  const response = await on.call('HEAD', `/v1/runs/${id}/events`);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('');
});

test('a client that does not read costs a page of memory, whatever the program writes', async () => {
  const id = await newRun();
  const worker = actAsWorker(on);
  const holder = await worker.start(id);
  // 64 MiB: far more than sockets on both sides take.
  const chunk = Buffer.alloc(65_536, 'x');
  for (let i = 0; i < 1_024; i += 16)
    await worker.append(
      holder,
      ...Array.from({ length: 16 }, () => ({ type: 'stdout' as const, data: chunk })),
    );
  const clients = await Promise.all(
    Array.from(
      { length: 8 },
      () =>
        new Promise<{ destroy(): void; pending(): number }>((resolve) => {
          const { port } = new URL(on.url);
          void on.gateway.apiKeys
            .put('rlk_slow-reader-key', { keyId: 'key_s', tenant: 'default', role: 'user' })
            .then(() => {
              const outgoing = request(
                {
                  port,
                  path: `/v1/runs/${id}/events`,
                  headers: { authorization: 'Bearer rlk_slow-reader-key' },
                },
                (response) => {
                  response.pause();
                  resolve({ destroy: () => outgoing.destroy(), pending: () => response.readableLength });
                },
              );
              outgoing.on('error', () => {});
              outgoing.end();
            });
        }),
    ),
  );
  // What the server holds for each: the pieces it wrote and the kernel has not taken.
  const sockets = await new Promise<number>((resolve, reject) => {
    on.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
  expect(sockets).toBeGreaterThanOrEqual(8);
  const before = liveMemory();
  await sleep(1_500);
  // Eight clients times 64 MiB would be half a gigabyte.
  await expect.poll(() => liveMemory() - before).toBeLessThan(64 * 1024 * 1024);
  for (const client of clients) client.destroy();
  await worker.finish(holder);
  const { bytes, last } = await drained(id);
  expect(bytes).toBe(64 * 1024 * 1024);
  expect(last).toBe('exit');
});

async function drained(id: string) {
  const stream = await follow(id);
  let bytes = 0;
  let last: string | undefined;
  for (let event = await stream.next(); event !== undefined; event = await stream.next()) {
    last = event.event;
    if (event.event === 'stdout') bytes += JSON.parse(event.data).data.length;
  }
  return { bytes, last };
}
