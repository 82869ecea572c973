import { createSecureServer } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { AttemptFault, Delivery } from '../../shared/contracts/webhook.ts';
import { createAuthority } from './support/certificates.ts';
import { type Scene, startScene, web } from './support/scene.ts';

/** What receivers may do to the notifier that called them: each ends as an attempt that says what it was, and costs next to nothing. */
const lab = inject('lab');
const host = '203.0.114.10';
const MiB = 1024 * 1024;

let scene: Scene;
let lastPort = 8_000;

beforeAll(async () => {
  scene = await startScene(lab, {
    RUNLET_WEBHOOK_SCHEDULE_MS: '50',
    RUNLET_WEBHOOK_TIMEOUT_MS: '1500',
  });
});
afterEach(async () => {
  expect(scene.notifier.alive()).toBe(true);
  // It still does its work.
  expect(
    await deliverTo((socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nthanks')),
  ).toMatchObject({
    status: 'delivered',
    attempts: [{ statusCode: 200, error: null, response: 'thanks' }],
  });
});
afterAll(() => scene.stop());

/** A delivery to a receiver of which only this is known: what it does with a connection once the request began to come. */
async function deliverTo(answer: (socket: Socket) => void, scheme = 'http'): Promise<Delivery> {
  lastPort += 1;
  await scene.island.at(host, lastPort, (socket) => {
    socket.once('data', () => answer(socket));
    socket.resume();
  });
  return scene.webhooks.deliver(`${scheme}://${host}:${lastPort}/`);
}

const codes = ({ attempts }: Delivery) => attempts.map(({ error }) => error?.code ?? null);
const twice = (code: AttemptFault) => [code, code];

/** Writes for as long as the other side takes it; resolves with how much that was. */
function pour(socket: Socket, next: () => Buffer | string, most = Number.POSITIVE_INFINITY): Promise<number> {
  return new Promise((resolve) => {
    let written = 0;
    const more = () => {
      while (!socket.destroyed && written < most) {
        const piece = next();
        written += piece.length;
        if (!socket.write(piece)) return;
      }
    };
    socket.on('drain', more);
    socket.on('close', () => resolve(written));
    more();
  });
}

/** Writes one piece every now and then, for as long as the other side is there. */
function drip(socket: Socket, next: () => string): void {
  const timer = setInterval(() => socket.write(next()), 20);
  socket.on('close', () => clearInterval(timer));
}

describe('time', () => {
  test('a receiver that never answers', async () => {
    const delivery = await deliverTo(() => {});
    expect(codes(delivery)).toEqual(twice('timeout'));
    expect(delivery.attempts[0]).toMatchObject({
      statusCode: null,
      response: null,
      error: { message: 'No answer within 1500 ms.' },
    });
  });

  test('one that does not even take the request', async () => {
    lastPort += 1;
    await scene.island.at(host, lastPort, () => {});
    expect(codes(await scene.webhooks.deliver(`http://${host}:${lastPort}/`))).toEqual(twice('timeout'));
  });

  test.each<[string, string, () => string]>([
    ['status line', 'HTTP/1.1 200 O', () => 'K'],
    ['header', 'HTTP/1.1 200 OK\r\nx: ', () => 'a'],
    ['headers', 'HTTP/1.1 200 OK\r\n', () => 'x: a\r\n'],
    ['interim answers', '', () => 'HTTP/1.1 103 Early Hints\r\nx: a\r\n\r\n'],
    ['leading empty lines', '', () => '\r\n'],
  ])('one whose %s come drop by drop', async (_, begin, next) => {
    const delivery = await deliverTo((socket) => {
      socket.write(begin);
      drip(socket, next);
    });
    expect(codes(delivery)).toEqual(twice('timeout'));
  });

  test('one whose body comes drop by drop has answered all the same, and is not listened to', async () => {
    let closed: Promise<void> | undefined;
    const delivery = await deliverTo((socket) => {
      closed = new Promise((resolve) => socket.once('close', () => resolve()));
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
      drip(socket, () => 'x');
    });
    expect(delivery).toMatchObject({ status: 'delivered', attempts: [{ statusCode: 200 }] });
    expect(delivery.attempts[0]?.response).toMatch(/^x+$/);
    await closed;
  });

  test('one that promises a body and sends none, or never ends it, has answered', async () => {
    for (const rest of [
      'content-length: 100\r\n\r\n',
      'transfer-encoding: chunked\r\n\r\nffffffff\r\nx',
      '\r\n',
    ])
      expect(await deliverTo((socket) => socket.write(`HTTP/1.1 202 Accepted\r\n${rest}`))).toMatchObject({
        status: 'delivered',
        attempts: [{ statusCode: 202 }],
      });
  });
});

describe('size', () => {
  /** What the notifier's memory grows by at the most while a receiver does its worst. */
  async function growth(act: () => Promise<void>): Promise<number> {
    const before = await scene.notifier.peakMemory();
    await act();
    return (await scene.notifier.peakMemory()) - before;
  }

  test('a body of a gigabyte is cut', async () => {
    let poured: Promise<number> = Promise.resolve(0);
    const block = Buffer.alloc(MiB, 'x');
    const grown = await growth(async () => {
      const delivery = await deliverTo((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${1024 * MiB}\r\n\r\n`);
        poured = pour(socket, () => block, 1024 * MiB);
      });
      expect(delivery).toMatchObject({ status: 'delivered', attempts: [{ response: 'x'.repeat(512) }] });
    });
    expect(await poured).toBeLessThan(64 * MiB);
    expect(grown).toBeLessThan(64 * MiB);
  });

  test.each(['gzip', 'deflate', 'br', 'gzip, gzip'])('a bomb as %s is not inflated', async (encoding) => {
    const bomb = gzipSync(Buffer.alloc(256 * MiB));
    const grown = await growth(async () => {
      const delivery = await deliverTo((socket) =>
        socket.end(
          Buffer.concat([
            Buffer.from(
              `HTTP/1.1 500 No\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${bomb.length}\r\n\r\n`,
            ),
            bomb,
          ]),
        ),
      );
      expect(delivery).toMatchObject({
        status: 'failed',
        attempts: [{ statusCode: 500 }, { statusCode: 500 }],
      });
      // As it came over the wire: compressed, what is not printable as dots.
      expect(delivery.attempts[0]?.response).toMatch(/^[\x20-\x7e\n\t]{512}$/);
    });
    expect(grown).toBeLessThan(64 * MiB);
  });

  test.each<[string, string, string]>([
    ['many headers', 'HTTP/1.1 200 OK\r\n', 'x: a\r\n'],
    ['one header', 'HTTP/1.1 200 OK\r\nx: ', 'a'.repeat(1000)],
    ['a header’s name', 'HTTP/1.1 200 OK\r\n', 'a'.repeat(1000)],
    ['a reason phrase', 'HTTP/1.1 200 ', 'a'.repeat(1000)],
    ['a version', 'HTTP/', '1'.repeat(1000)],
    ['interim answers with headers', '', `HTTP/1.1 103 Hints\r\nx: ${'a'.repeat(1000)}\r\n\r\n`],
    ['empty lines', '', '\r\n'.repeat(1000)],
  ])('%s without end', async (_, begin, piece) => {
    const poured: Promise<number>[] = [];
    const grown = await growth(async () => {
      const delivery = await deliverTo((socket) => {
        socket.write(begin);
        poured.push(pour(socket, () => piece));
      });
      expect(codes(delivery)).toEqual(twice('bad_response'));
    });
    for (const bytes of await Promise.all(poured)) expect(bytes).toBeLessThan(32 * MiB);
    expect(grown).toBeLessThan(64 * MiB);
  });

  test('the answers over one connection may be more than one may be', async () => {
    lastPort += 1;
    let connections = 0;
    await scene.island.at(host, lastPort, (socket) => {
      connections += 1;
      socket.on('data', () =>
        socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(15 * 1024)}\r\ncontent-length: 0\r\n\r\n`),
      );
      socket.resume();
    });
    // A mebibyte and more in all.
    for (let i = 0; i < 80; i += 1)
      expect(codes(await scene.webhooks.deliver(`http://${host}:${lastPort}/`))).toEqual([null]);
    expect(connections).toBe(1);
  });

  test('chunks, their extensions and trailers without end, after a 200', async () => {
    const grown = await growth(async () => {
      for (const [begin, piece] of [
        ['', '1\r\nx\r\n'.repeat(100)],
        ['1;', 'a'.repeat(1000)],
        ['0\r\n', 'x: a\r\n'.repeat(100)],
      ] as const) {
        const delivery = await deliverTo((socket) => {
          socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${begin}`);
          void pour(socket, () => piece);
        });
        expect(delivery).toMatchObject({ status: 'delivered', attempts: [{ statusCode: 200 }] });
      }
    });
    expect(grown).toBeLessThan(64 * MiB);
  });
});

describe('what is no answer', () => {
  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
    ['a mail server', '220 mail.example ESMTP\r\n'],
    ['Redis', '-ERR unknown command\r\n'],
    ['nothing but zeros', '\0'.repeat(100)],
    ['an HTTP of the future', 'HTTP/9.9 200 OK\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['a short status', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a header without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['a header with a zero', 'HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'],
    ['a length beyond numbers', `HTTP/1.1 200 OK\r\ncontent-length: ${'9'.repeat(30)}\r\n\r\n`],
    [
      'a change of protocol',
      'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    ],
    ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['nothing', ''],
  ])('%s', async (_, bytes) => {
    const delivery = await deliverTo((socket) => socket.end(bytes));
    expect(codes(delivery)).toEqual(twice('bad_response'));
    expect(delivery.attempts[0]).toMatchObject({ statusCode: null, response: null });
  });

  test('a connection that is torn down', async () => {
    expect(codes(await deliverTo((socket) => socket.destroy()))).toEqual(twice('bad_response'));
    expect(codes(await deliverTo((socket) => socket.write('HTTP/1.1 2', () => socket.destroy())))).toEqual(
      twice('bad_response'),
    );
  });

  test('nobody there', async () => {
    const delivery = await scene.webhooks.deliver(`http://${host}:7999/`);
    expect(codes(delivery)).toEqual(twice('connect_failed'));
    expect(delivery.attempts[0]?.error?.message).toContain('ECONNREFUSED');
    // No route leads off the island.
    expect(codes(await scene.webhooks.deliver('http://203.0.117.1/'))).toEqual(twice('connect_failed'));
  });

  test('what came in excess is not the answer of the next delivery', async () => {
    lastPort += 1;
    let requests = 0;
    await scene.island.at(host, lastPort, (socket) => {
      socket.on('data', () => {
        requests += 1;
        socket.write(
          requests === 1
            ? `HTTP/1.1 204 No Content\r\n\r\n${'HTTP/1.1 204 No Content\r\n\r\n'.repeat(50)}`
            : 'HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n',
        );
      });
      socket.resume();
    });
    expect(codes(await scene.webhooks.deliver(`http://${host}:${lastPort}/`))).toEqual([null]);
    expect(await scene.webhooks.deliver(`http://${host}:${lastPort}/`)).toMatchObject({
      attempts: [{ statusCode: 500 }, { statusCode: 500 }],
    });
  });

  test.each([
    ['HTTP/1.1 999 Beyond\r\ncontent-length: 0\r\n\r\n', 999],
    ['HTTP/1.1 304 Not Modified\r\n\r\n', 304],
    ['HTTP/1.0 404 Not Found\r\n\r\n\x1b[2J\x07gone\xff', 404],
  ])('%j is a status that is no success', async (bytes, statusCode) => {
    const delivery = await deliverTo((socket) => socket.end(Buffer.from(bytes, 'latin1')));
    expect(delivery).toMatchObject({ status: 'failed', attempts: [{ statusCode }, { statusCode }] });
    if (statusCode === 404) expect(delivery.attempts[0]?.response).toBe('.[2J.gone.');
  });
});

describe('TLS', () => {
  let authority: ReturnType<typeof createAuthority>;
  beforeAll(async () => {
    authority = createAuthority(scene.folder);
    await scene.restartNotifier({ NODE_EXTRA_CA_CERTS: authority.path });
    for (const name of ['good.example', 'bad.example']) scene.island.names.set(name, () => [host]);
  });

  /** A delivery to a server with this certificate, by a name. */
  async function deliverBy(name: string, certificate: ReturnType<typeof authority.issue>): Promise<Delivery> {
    lastPort += 1;
    const server = createTlsServer(certificate, (request, response) => {
      request.resume();
      response.writeHead(200).end(`${request.httpVersion} ${request.headers.host}`);
    });
    await scene.island.at(host, lastPort, (socket) => void server.emit('connection', socket));
    return scene.webhooks.deliver(`https://${name}:${lastPort}/`);
  }

  test('with a certificate of a known authority for the name', async () => {
    const delivery = await deliverBy('good.example', authority.issue('good.example', true));
    expect(delivery).toMatchObject({
      status: 'delivered',
      attempts: [{ response: `1.1 good.example:${lastPort}` }],
    });
  });

  test('with one that signed itself, one for another name, and one for a name where an address is called', async () => {
    const own = await deliverBy('good.example', authority.issue('good.example', false));
    expect(codes(own)).toEqual(twice('tls_failed'));
    expect(own.attempts[0]?.error?.message).toMatch(/self-signed certificate/);
    const other = await deliverBy('bad.example', authority.issue('good.example', true));
    expect(codes(other)).toEqual(twice('tls_failed'));
    expect(codes(await deliverBy(host, authority.issue('good.example', true)))).toEqual(twice('tls_failed'));
  });

  test('where none is spoken, and the other way round', async () => {
    for (const answer of ['HTTP/1.1 200 OK\r\n\r\n', 'SSH-2.0-x\r\n', '\x15\x03\x01\0\x02\x02\x28', ''])
      expect(codes(await deliverTo((socket) => socket.end(answer), 'https'))).toEqual(twice('tls_failed'));
    expect(codes(await deliverTo(() => {}, 'https'))).toEqual(twice('timeout'));
    lastPort += 1;
    const server = createTlsServer(authority.issue('good.example', true));
    await scene.island.at(host, lastPort, (socket) => void server.emit('connection', socket));
    expect(codes(await scene.webhooks.deliver(`http://good.example:${lastPort}/`))).toEqual(
      twice('bad_response'),
    );
  });

  test('HTTP/2 is not spoken, whoever prefers it: there the receiver would set the limits', async () => {
    lastPort += 1;
    const spoken: string[] = [];
    const certificate = authority.issue('good.example', true);
    const server = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
      spoken.push(request.httpVersion);
      response.writeHead(200).end();
    });
    await scene.island.at(host, lastPort, (socket) => void server.emit('connection', socket));
    expect(codes(await scene.webhooks.deliver(`https://good.example:${lastPort}/`))).toEqual([null]);
    expect(spoken).toEqual(['1.1']);
  });
});

test('a receiver that uses all of this at once does not keep the notifier from others', async () => {
  lastPort += 1;
  const bad = `http://${host}:${lastPort}/`;
  await scene.island.at(host, lastPort, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nx: ');
    drip(socket, () => 'a');
  });
  const { id } = await scene.webhooks.register(bad);
  for (let i = 0; i < 30; i += 1) await scene.webhooks.send(id);
  lastPort += 1;
  await scene.island.at(
    host,
    lastPort,
    web((_, response) => response.writeHead(204).end()),
  );
  expect(codes(await scene.webhooks.deliver(`http://${host}:${lastPort}/`))).toEqual([null]);
  await scene.webhooks.remove(id);
});
