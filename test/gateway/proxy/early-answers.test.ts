import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { linger } from '../../../services/gateway/http/linger.ts';
import { until } from '../support.ts';
import { type Proxied, raw, startProxied, ways } from './support.ts';

/** How often each kind is tried: what is lost is lost in a race. */
const tries = Number(process.env.RUNLET_TEST_EARLY_TRIES ?? 6);
const MiB = 2 ** 20;

let on: Proxied;
/** What the container does with a connection, from the first byte of a request. */
let container: (socket: Socket, first: Buffer) => void;
const sockets = new Set<Socket>();
let connections = 0;
const server = createServer({ allowHalfOpen: true }, (socket) => {
  connections += 1;
  sockets.add(socket);
  socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  socket.once('data', (first) => container(socket, first));
});
let port: number;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
  on = await startProxied({ RUNLET_SERVICE_TIMEOUT_MS: '5000' });
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
});
afterAll(async () => {
  await on.stop();
  server.close();
});

type Upload = { text: string; error?: string | undefined; sent: number };

/**
 * Sends a request with a body and reads at the same time, as curl does; stops once the connection ends, or `enough` is there.
 *
 * @param pace waits between the pieces
 */
async function upload(
  head: string,
  options: { chunked: boolean; bytes: number; pace?: number; enough?: RegExp; piece?: number },
): Promise<Upload> {
  const { chunked, bytes, pace = 0, enough, piece = 64 * 1024 } = options;
  const socket = connect({ port: on.port, host: '127.0.0.1', allowHalfOpen: true });
  const got: Upload = { text: '', sent: 0 };
  let over = false;
  socket.on('error', (error: NodeJS.ErrnoException) => {
    got.error = error.code;
  });
  const done = Promise.race([once(socket, 'close'), once(socket, 'end')]).catch(() => {});
  done.finally(() => {
    over = true;
  });
  socket.on('data', (data) => {
    got.text += data.toString('latin1');
    if (enough?.test(got.text)) socket.destroy();
  });
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
  socket.write(`${head}${framing}\r\n\r\n`);
  const block = Buffer.alloc(piece, 'x');
  while (got.sent < bytes && !over) {
    const data = block.subarray(0, Math.min(piece, bytes - got.sent));
    if (chunked) socket.write(`${data.length.toString(16)}\r\n`);
    const room = socket.write(chunked ? Buffer.concat([data, Buffer.from('\r\n')]) : data);
    got.sent += data.length;
    if (pace > 0) await sleep(pace);
    else if (!room) await Promise.race([once(socket, 'drain').catch(() => {}), done]);
  }
  if (chunked && !over) socket.write('0\r\n\r\n');
  await done;
  socket.destroy();
  return got;
}

const body = 'too much of it';
const answered = (status: string, fields = '') =>
  `HTTP/1.1 ${status}\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
const closing = answered('413 Content Too Large', 'Connection: close\r\n');

/** How a container ends that has said enough. */
const endings: [string, (socket: Socket) => void][] = [
  [
    'closes, with what it has not read: a reset',
    (socket) => void socket.end(closing, () => socket.destroy()),
  ],
  ['resets at once', (socket) => void socket.write(closing, () => socket.resetAndDestroy())],
  [
    'resets a little later',
    (socket) => void socket.write(closing, () => setTimeout(() => socket.resetAndDestroy(), 3)),
  ],
  ['ends its side, and reads no more', (socket) => void socket.pause().end(closing)],
  [
    'ends its side, reads on for a while, and closes',
    (socket) => void socket.resume().end(closing, () => setTimeout(() => socket.destroy(), 20)),
  ],
  [
    'has a body that ends with the connection',
    (socket) => void socket.end(`HTTP/1.1 413 Content Too Large\r\n\r\n${body}`, () => socket.destroy()),
  ],
  [
    'says so in chunks',
    (socket) =>
      void socket.end(
        `HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n${body}\r\n0\r\n\r\n`,
        () => socket.destroy(),
      ),
  ],
  [
    'promises to keep the connection, and closes it',
    (socket) => void socket.end(answered('413 Content Too Large'), () => socket.destroy()),
  ],
];

describe.each(ways)('by the %s', (_, way) => {
  const lines = Object.entries(way).map(([name, value]) => `${name}: ${value}\r\n`);
  const plain = lines.length === 0;
  const headFor = (host: string, fields = '') =>
    `POST /upload HTTP/1.1\r\nHost: ${host}\r\n${lines.join('')}${fields}`;

  describe.each([
    ['of a known length', false],
    ['in chunks', true],
  ])('an upload %s', (_name, chunked) => {
    test.each(endings)('a container that %s', async (_ending, end) => {
      const { host } = await on.service({ at: port });
      container = (socket) => end(socket);
      for (let i = 0; i < tries; i += 1) {
        // Small ones fit into buffers; large ones are under way when the answer comes.
        const bytes = [2 * MiB, 200_000, 4 * MiB][i % 3] as number;
        const { text, error } = await upload(headFor(host), { chunked, bytes, enough: /too much of it/ });
        expect(text, `try ${i}: ${error}`).toMatch(/^HTTP\/1\.1 413 /);
        expect(text, `try ${i}: ${error}`).toContain(body);
      }
    });

    test('an answer long before the end of a slow upload arrives before it, and the connection ends', async () => {
      const { host } = await on.service({ at: port });
      container = (socket) => socket.end(closing, () => socket.destroy());
      const { text, sent } = await upload(headFor(host), { chunked, bytes: 500, piece: 5, pace: 20 });
      expect(text).toMatch(/^HTTP\/1\.1 413 .*\r\nConnection: close\r\n/is);
      expect(text.endsWith(chunked || /content-length/i.test(text) ? body : `${body}\r\n0\r\n\r\n`)).toBe(
        true,
      );
      expect(sent).toBeLessThan(500);
    });

    test('a large answer arrives whole', async () => {
      const { host } = await on.service({ at: port });
      const large = 'y'.repeat(3 * MiB);
      container = (socket) =>
        socket.end(`HTTP/1.1 413 x\r\nConnection: close\r\nContent-Length: ${large.length}\r\n\r\n${large}`);
      for (let i = 0; i < 5; i += 1) {
        const { text } = await upload(headFor(host), { chunked, bytes: 16 * MiB });
        expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(large.length);
      }
    });

    test.each(['200 OK', '201 Created', '303 See Other', '401 Unauthorized', '403 Forbidden', '413 x'])(
      '%s before the whole request, of a container that reads on: it gets all, and both connections are used again',
      async (status) => {
        const { host } = await on.service({ at: port });
        const heard: string[] = [];
        const next = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext';
        container = (socket, first) => {
          const mine = heard.push('') - 1;
          const hear = (data: Buffer) => {
            heard[mine] += data.toString('latin1');
            if (data.includes('POST /upload')) socket.write(answered(status));
            if (data.includes('GET /next')) socket.write(next);
          };
          hear(first);
          socket.on('data', hear);
        };
        const before = connections;
        const bytes = 300_000;
        const socket = connect({ port: on.port, host: '127.0.0.1' });
        let text = '';
        socket.on('data', (data) => {
          text += data.toString('latin1');
        });
        socket.on('error', () => {});
        const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`;
        socket.write(`${headFor(host)}${framing}\r\n\r\n`);
        const half = 'z'.repeat(bytes / 2);
        const piece = chunked ? `${half.length.toString(16)}\r\n${half}\r\n` : half;
        socket.write(piece);
        await until(async () => text.endsWith(body));
        expect(text).toContain(`HTTP/1.1 ${status}\r\n`);
        expect(text).not.toMatch(/connection: close/i);
        // The end of the body and the next request come as one.
        socket.write(`${piece}${chunked ? '0\r\n\r\n' : ''}GET /next HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
        await until(async () => text.endsWith('next'));
        // Node's parser tells of the next request before it tells of the end of this one.
        expect(connections - before).toBeLessThanOrEqual(plain && !chunked ? 1 : 2);
        await until(async () => (heard[0] ?? '').split('z').length - 1 === bytes);
        const { length } = heard;
        const asked = `GET /next HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
        expect(await Promise.all(heard.map(() => raw(on.port, asked, /next$/)))).toHaveLength(length);
        expect(heard).toHaveLength(length);
        expect(heard[0]).toMatch(/GET \/next/);
        socket.destroy();
      },
    );

    test('what was answered early and not sent whole is never followed by another request', async () => {
      const { host } = await on.service({ at: port });
      const heard: string[] = [];
      container = (socket, first) => {
        const mine = heard.push(first.toString('latin1')) - 1;
        socket.write(answered('401 Unauthorized'));
        socket.on('data', (data) => {
          heard[mine] += data.toString('latin1');
        });
      };
      await upload(headFor(host), {
        chunked,
        bytes: 5 * MiB,
        piece: 1_000,
        pace: 5,
        enough: /too much of it/,
      });
      const { length } = heard;
      await raw(on.port, `${headFor(host)}Content-Length: 0\r\nX-Second: yes\r\n\r\n`, /too much of it/);
      expect(heard.length).toBe(length + 1);
      expect(heard.filter((one) => one.lastIndexOf('POST') > 0)).toEqual([]);
    });

    test('a request behind the body of one that was refused for good is not answered, nor sent', async () => {
      const { host } = await on.service({ at: port });
      let asked = 0;
      container = (socket, first) => {
        asked += 1;
        if (first.toString('latin1').startsWith('GET')) socket.end(answered('200 OK'));
        else socket.end(closing, () => socket.destroy());
      };
      const framing = chunked ? 'Transfer-Encoding: chunked' : 'Content-Length: 6';
      const first = `${headFor(host)}${framing}\r\n\r\n${chunked ? '3\r\nabc\r\n' : 'abc'}`;
      const rest = chunked ? '3\r\nabc\r\n0\r\n\r\n' : 'abc';
      const socket = connect({ port: on.port, host: '127.0.0.1', allowHalfOpen: true });
      let text = '';
      socket
        .on('error', () => {})
        .on('data', (data) => {
          text += data.toString('latin1');
        });
      socket.write(first);
      await until(async () => text.includes(body));
      socket.write(`${rest}GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      socket.end();
      await once(socket, 'close');
      expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(asked).toBe(1);
    });
  });

  test('nothing of an answer is made up: a container that closes without one is a 502', async () => {
    const { host } = await on.service({ at: port });
    for (const end of ['', 'HTTP/1.1 413 Con']) {
      container = (socket) => socket.end(end, () => socket.destroy());
      const { text } = await upload(headFor(host), { chunked: false, bytes: 2 * MiB });
      expect(text).toMatch(/^HTTP\/1\.1 502 .*service_unreachable/s);
    }
  });

  test('an answer that breaks off is not taken for whole', async () => {
    const { host } = await on.service({ at: port });
    container = (socket) =>
      socket.end('HTTP/1.1 413 x\r\nContent-Length: 1000\r\n\r\nsome', () => socket.destroy());
    const { text } = await upload(headFor(host), { chunked: false, bytes: 2 * MiB });
    if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 413 .*Content-Length: 1000/s);
    expect(text.length).toBeLessThan(600);
  });

  test('our own refusals arrive as well', async () => {
    const { host } = await on.service({ at: port, request: { public: false } });
    for (let i = 0; i < tries; i += 1)
      for (const chunked of [true, false]) {
        const { text } = await upload(headFor(host), { chunked, bytes: 3 * MiB });
        expect(text).toMatch(/^HTTP\/1\.1 401 .*Connection: close.*"code":"unauthorized"/is);
      }
  });

  test('a client that is itself the one to close gets it too', async () => {
    const { host } = await on.service({ at: port });
    container = (socket) => {
      socket.write(answered('403 Forbidden'));
      socket.on('data', (data) => data.includes('POST') && socket.write(answered('403 Forbidden')));
    };
    for (let i = 0; i < tries; i += 1) {
      const { text } = await upload(headFor(host, 'Connection: close\r\n'), {
        chunked: false,
        bytes: 3 * MiB,
      });
      expect(text).toMatch(/^HTTP\/1\.1 403 .*too much of it$/s);
    }
  });
});

test.each(['417 Expectation Failed', '413 Content Too Large', '401 Unauthorized'])(
  'instead of a 100: %s; what the client then sends is read as no request',
  async (status) => {
    const { host } = await on.service({ at: port });
    let asked = 0;
    container = (socket) => {
      asked += 1;
      socket.write(answered(status));
    };
    const head = `POST / HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n`;
    const socket = connect({ port: on.port, host: '127.0.0.1', allowHalfOpen: true });
    let text = '';
    socket
      .on('error', () => {})
      .on('data', (data) => {
        text += data.toString('latin1');
      });
    socket.write(head);
    await until(async () => text.includes(body));
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status}\\r\\n.*connection: close\\r\\n`, 'is'));
    socket.end(`GET /smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(3));
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(asked).toBe(1);
  },
);

test('a WebSocket that is refused, with a body, by a container that does not read what came with it', async () => {
  const { host } = await on.service({ at: port });
  container = (socket) => socket.end(answered('403 Forbidden'), () => socket.destroy());
  const head = `GET /ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  for (let i = 0; i < tries; i += 1)
    // Some say their first words before they were let in.
    expect(await raw(on.port, head + 'x'.repeat(100_000))).toMatch(/^HTTP\/1\.1 403 .*too much of it$/s);
});

describe('who lingers', () => {
  async function pair() {
    const listening = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    const client = connect((listening.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => {});
    const [socket] = (await once(listening, 'connection')) as [Socket];
    listening.close();
    socket.on('error', () => {});
    return { client, socket };
  }
  const patient = { totalMs: 60_000, silentMs: 60_000, bytes: 2 ** 30, unsentMs: 60_000 };

  test.each([
    ['says nothing', { ...patient, silentMs: 100 }],
    ['goes on for too long', { ...patient, totalMs: 300, silentMs: 200 }],
    ['sends too much', { ...patient, bytes: 200, silentMs: 400 }],
  ])('is cut off when it %s', async (why, limits) => {
    const { client, socket } = await pair();
    const sending = setInterval(() => why === 'says nothing' || client.write('x'.repeat(100)), 10);
    socket.end('answer');
    linger(socket, limits);
    await once(socket, 'close');
    clearInterval(sending);
    client.destroy();
  });
});
