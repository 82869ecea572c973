import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { notifierEnvironment } from '../../services/notifier/environment.ts';
import { createPoster } from '../../services/notifier/http/post.ts';
import { TryAbandoned, TryFailed } from '../../services/notifier/http/try-failed.ts';
import { attemptFaults } from '../../shared/contracts/webhook.ts';
import { lookUpBy } from '../../shared/net/look-up.ts';
import { targetPolicy } from '../../shared/webhooks/target.ts';

/** One try at a time, to a receiver that sends whatever bytes it is told to. */
let server: Server;
let answer = Buffer.alloc(0);
let poster: ReturnType<typeof createPoster>;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
beforeEach(() => {
  poster = createPoster({
    policy: targetPolicy({ RUNLET_WEBHOOK_ALLOW: ['127.0.0.0/8'], RUNLET_WEBHOOK_PORTS: '1024-65535' }),
    lookUp: lookUpBy([]),
    timeoutMs: 2_000,
  });
});
afterEach(() => poster.close());
afterAll(() => void server.close());

const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const post = (to = url()) => poster.post(to, { 'content-type': 'application/json' }, '{}');

test('whatever bytes come, a try ends as an answer or as a fault that has a name, and its words are fit for a terminal', async () => {
  const line = fc.constantFrom(
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 500 No\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.0 200\r\n',
    'content-length: 5\r\n',
    'content-length: 0\r\n',
    'transfer-encoding: chunked\r\n',
    'connection: close\r\n',
    'retry-after: 5\r\n',
    'content-encoding: gzip\r\n',
    'trailer: x\r\n',
    '\r\n',
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    'hello',
    '\x1b[31m',
  );
  const bytes = fc
    .array(
      fc.oneof(
        { weight: 5, arbitrary: line.map((text) => Buffer.from(text, 'latin1')) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((some) => Buffer.from(some)) },
      ),
      { maxLength: 12 },
    )
    .map((pieces) => Buffer.concat(pieces));
  await fc.assert(
    fc.asyncProperty(bytes, async (some) => {
      answer = some;
      const said = await post().catch((error: unknown) => error);
      if (said instanceof Error) {
        expect(said).toBeInstanceOf(TryFailed);
        expect(attemptFaults).toContain((said as TryFailed).code);
        expect(said.message).toMatch(/^[\x20-\x7e\n\t]{1,300}$/);
      } else {
        expect(said).toMatchObject({ statusCode: expect.any(Number) });
        expect((said as { response: string | null }).response ?? '').toMatch(/^[\x20-\x7e\n\t]{0,512}$/);
      }
    }),
    { numRuns: 300 },
  );
});

test('of several Retry-After the first is heard', async () => {
  answer = Buffer.from('HTTP/1.1 503 No\r\nretry-after: 7\r\nretry-after: 8\r\ncontent-length: 0\r\n\r\n');
  expect(await post()).toEqual({ statusCode: 503, retryAfter: '7', response: null });
});

test('a try leaves no timer behind, however it ended', async () => {
  const left = new Set<number>();
  const hook = createHook({
    init: (id, type) => void (type === 'Timeout' && left.add(id)),
    destroy: (id) => void left.delete(id),
  }).enable();
  for (let i = 0; i < 50; i += 1) {
    answer = Buffer.from(i % 2 === 0 ? 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok' : 'nonsense');
    await post().catch(() => {});
  }
  await nextTurn();
  hook.disable();
  // The client has one or two for all its connections together.
  expect(left.size).toBeLessThan(10);
});

test('what is broken off is no fault of the receiver, and nothing is begun afterwards', async () => {
  const silent = createServer(() => {});
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const coming = once(silent, 'connection');
  const begun = post(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/`);
  const ended = expect(begun).rejects.toBeInstanceOf(TryAbandoned);
  await coming;
  await poster.close();
  await ended;
  await expect(post()).rejects.toBeInstanceOf(TryAbandoned);
  silent.close();
});

test('a message holds what a stranger wrote, so it is cut, and cannot move a cursor', () => {
  expect(new TryFailed('tls_failed', `\x1b[2J${'a'.repeat(10_000)}`).message).toBe(`.[2J${'a'.repeat(296)}`);
});

test('resolvers that are no addresses are refused at the start, not at each delivery', () => {
  const wanted = (servers: string) => notifierEnvironment.shape.RUNLET_WEBHOOK_DNS.safeParse(servers).success;
  expect(
    ['', '10.0.0.2', '10.0.0.2:5353, 10.0.0.3', '[fd00::53]:5353', 'fd00::53'].filter((one) => !wanted(one)),
  ).toEqual([]);
  expect(
    ['dns.example', '10.0.0', '10.0.0.2:x', 'https://1.1.1.1/dns-query', '10.0.0.2 10.0.0.3'].filter(wanted),
  ).toEqual([]);
});
