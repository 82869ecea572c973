import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plainRequests } from '../../../services/gateway/proxy/clients/plain-request.ts';
import { parseAnswer } from '../../../services/gateway/proxy/http1/answer-head.ts';
import { ChunkReader } from '../../../services/gateway/proxy/http1/chunks.ts';

describe('chunks', () => {
  const chunk = fc.record({
    data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    upper: fc.boolean(),
    extension: fc.constantFrom('', ';a=b', ' ; x="y"'),
    zeros: fc.constantFrom('', '0', '00'),
  });
  const encoded = (
    chunks: { data: Uint8Array; upper: boolean; extension: string; zeros: string }[],
    trailer: string,
  ) =>
    Buffer.concat([
      ...chunks.flatMap(({ data, upper, extension, zeros }) => {
        const size = data.length.toString(16);
        const line = `${zeros}${upper ? size.toUpperCase() : size}${extension}\r\n`;
        return [Buffer.from(line), Buffer.from(data), Buffer.from('\r\n')];
      }),
      Buffer.from(`0\r\n${trailer}\r\n`),
    ]);

  test('are put together whatever the pieces they come in, and what follows is left', () => {
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 8 }),
        fc.constantFrom('', 'X-A: 1\r\n', 'X-A: 1\r\nX-B: two words\r\n'),
        fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 30 }),
        fc.string({ maxLength: 20 }),
        (chunks, trailer, cuts, after) => {
          const body = encoded(chunks, trailer);
          const all = Buffer.concat([body, Buffer.from(after)]);
          const reader = new ChunkReader();
          const got: Buffer[] = [];
          let at = 0;
          for (let i = 0; at < all.length && !reader.done; i += 1) {
            const piece = all.subarray(at, at + 1 + (cuts[i % cuts.length] ?? 0));
            const taken = reader.read(piece, (data) => got.push(Buffer.from(data)));
            expect(taken).toBeGreaterThanOrEqual(0);
            at += taken;
            if (!reader.done) expect(taken).toBe(piece.length);
          }
          expect(reader.done).toBe(true);
          expect(at).toBe(body.length);
          expect(Buffer.concat(got).equals(Buffer.concat(chunks.map(({ data }) => data)))).toBe(true);
          expect(reader.trailers.length).toBe(trailer.split('\r\n').length * 2 - 2);
        },
      ),
    );
  });

  test.each([
    'x\r\n',
    '\r\n',
    '-1\r\n',
    '0x5\r\nhello\r\n',
    '5\r\nhello5\r\n',
    '5 5\r\n',
    'ffffffffffffff\r\n',
    '0\r\nbad trailer\r\n\r\n',
    '0\r\nX: a\rY: b\r\n\r\n',
    '5\rhello\r\n',
    '5\nhello\r\r\n',
    '5;a\rb\r\nhello',
    `5;${'a'.repeat(5_000)}`,
    `0\r\n${'X: y\r\n'.repeat(5_000)}`,
  ])('%j are none', (text) => {
    const reader = new ChunkReader();
    expect(reader.read(Buffer.from(text), () => {})).toBe(-1);
  });
});

function parsed(head: string, method = 'GET') {
  const answer = parseAnswer(head, method);
  if ('fault' in answer) throw new Error(answer.fault);
  return answer;
}

describe('an answer’s head', () => {
  const parse = (text: string, method = 'GET') => parsed(text.replaceAll('\n', '\r\n'), method);

  test('says where its body ends', () => {
    expect(parse('HTTP/1.1 200 OK\nContent-Length: 5')).toMatchObject({ framing: 5, keepAlive: true });
    expect(parse('HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5').fields).toEqual([
      'Content-Length',
      '5',
    ]);
    expect(parse('HTTP/1.1 200 OK\nTransfer-Encoding: chunked')).toMatchObject({
      framing: 'chunked',
      fields: [],
    });
    expect(parse('HTTP/1.1 200 OK')).toMatchObject({ framing: 'close', keepAlive: false });
    expect(parse('HTTP/1.1 200 OK\nContent-Length: 5', 'HEAD')).toMatchObject({
      framing: 'none',
      keepAlive: true,
    });
    for (const status of [204, 304]) expect(parse(`HTTP/1.1 ${status} x`)).toMatchObject({ framing: 'none' });
    expect(parse('HTTP/1.1 204 x\nContent-Length: 0').fields).toEqual([]);
  });

  test('says whether the connection goes on', () => {
    const length = 'Content-Length: 1';
    expect(parse(`HTTP/1.1 200\n${length}`).keepAlive).toBe(true);
    expect(parse(`HTTP/1.1 200 OK\n${length}\nConnection: Close`).keepAlive).toBe(false);
    expect(parse(`HTTP/1.0 200 OK\n${length}`).keepAlive).toBe(false);
    expect(parse(`HTTP/1.0 200 OK\n${length}\nConnection: keep-alive`).keepAlive).toBe(true);
    expect(parse(`HTTP/1.1 200 OK\n${length}\nTransfer-Encoding: chunked`)).toMatchObject({
      framing: 'chunked',
      keepAlive: false,
      fields: [],
    });
    expect(parse(`HTTP/1.1 200 OK\n${length}\nKeep-Alive: max=5, timeout=9`).keepAliveMs).toBe(9_000);
  });

  test('keeps its values as they are, and loses what is of the connection', () => {
    const head =
      'HTTP/1.1 200 A  reason\nX-A:  b\t c \t\nConnection: x-b, close\nX-B: gone\nx-c:\nUpgrade: h2c';
    expect(parse(head)).toMatchObject({
      reason: 'A  reason',
      fields: ['X-A', 'b\t c', 'x-c', ''],
      upgrade: 'h2c',
    });
  });
});

/** What Node's parser makes of the same bytes. */
describe('a plain request is read as Node’s parser reads it', () => {
  let port: number;
  let read: IncomingMessage | undefined;
  const server = createServer({ keepAliveTimeout: 0 }, (incoming, outgoing) => {
    read = incoming;
    outgoing.end();
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  async function byNode(text: string): Promise<IncomingMessage | undefined> {
    read = undefined;
    const socket = connect(port, '127.0.0.1');
    socket.end(text, 'latin1');
    await new Promise<void>((resolve) =>
      socket
        .on('close', () => resolve())
        .on('error', () => {})
        .resume(),
    );
    return read;
  }

  const odd = fc.constantFrom(
    ' ',
    '\t',
    '\r',
    '\n',
    '\0',
    ':',
    '\x7f',
    'é',
    ',',
    '"',
    '\\',
    '(',
    'a',
    'B',
    '-',
    '_',
  );
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.stringMatching(/^[A-Za-z-]{1,8}$/) },
    { weight: 1, arbitrary: fc.string({ unit: odd, maxLength: 4 }) },
  );
  const name = fc.oneof(
    piece,
    fc.constantFrom(
      'Content-Length',
      'Transfer-Encoding',
      'Connection',
      'Host',
      'X-A',
      'content-length',
      'Expect',
    ),
  );
  const value = fc.oneof(
    piece,
    fc.constantFrom('0', '3', '03', '+3', '3, 3', 'chunked', 'close', '100-continue', ''),
  );
  const line = fc
    .tuple(name, fc.constantFrom(': ', ':', ' : ', ':\t', ''), value)
    .map((parts) => parts.join(''));
  const target = fc.oneof(
    fc.stringMatching(/^\/[a-z?%=&]{0,10}$/),
    fc.constantFrom('/', '*', 'http://x/', '/a b', '/é', '/#f', ''),
  );

  const mostly = (usual: string, others: fc.Arbitrary<string>) =>
    fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: others });

  test('or is not taken for one', async () => {
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(
        mostly('GET', fc.constantFrom('POST', 'get', 'DELETE', 'M-SEARCH', 'BREW')),
        mostly('/a?b=c', target),
        mostly('HTTP/1.1', fc.constantFrom('HTTP/1.0', 'http/1.1', 'HTTP/1.1 ', 'HTTP/2.0')),
        fc.array(line, { maxLength: 4 }),
        mostly('\r\n', fc.constant('\n')),
        async (method, path, version, lines, end) => {
          const text = [`${method} ${path} ${version}`, 'Host: a', ...lines, '', 'abc'].join(end);
          const mine = plainRequests()(Buffer.from(text, 'latin1'));
          if (mine === undefined) return;
          plain += 1;
          const theirs = await byNode(text);
          expect(theirs, JSON.stringify(text)).toBeDefined();
          expect(mine.method).toBe(theirs?.method);
          expect(mine.target).toBe(theirs?.url);
          expect(mine.host).toBe(theirs?.headers.host);
          expect(String(mine.bodyLength)).toBe(String(Number(theirs?.headers['content-length'] ?? 0)));
          expect(theirs?.headers['transfer-encoding']).toBeUndefined();
          const kept = mine.fields.lines.split('\r\n').filter((one) => one !== '');
          for (const one of kept) {
            const at = one.indexOf(': ');
            const i = theirs?.rawHeaders.findIndex(
              (header, index) =>
                index % 2 === 0 &&
                header === one.slice(0, at) &&
                theirs?.rawHeaders[index + 1] === one.slice(at + 2),
            );
            expect(i, JSON.stringify([text, theirs?.rawHeaders])).toBeGreaterThanOrEqual(0);
          }
        },
      ),
      { numRuns: 1_500 },
    );
    // Else the comparison says nothing.
    expect(plain).toBeGreaterThan(50);
  });

  test.each([
    ['no Host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n'],
    ['two', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    ['a body in chunks', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n'],
    ['a length that is none', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n'],
    ['an expectation', 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n'],
    ['an upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
    ['another form', 'GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a head that has not ended', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['a very long one', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n'],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n'],
    ['a bare LF', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
    ['an empty line before it', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('%s is Node’s to read', (_, text) => {
    expect(plainRequests()(Buffer.from(text, 'latin1'))).toBeUndefined();
  });
});

test('what a head may hold at worst is read in no time to speak of', () => {
  const began = process.cpuUsage().user;
  for (const filler of [' ', '\t', ':', 'a', ',', '\r', ' ,']) {
    const long = filler.repeat(16_000 / filler.length);
    for (const name of ['Connection', 'TE', 'Cookie', 'Referer', 'Authorization', 'Keep-Alive', 'X'])
      plainRequests()(
        Buffer.from(`GET /?${'&'.repeat(100)} HTTP/1.1\r\nHost: ${name}: ${long}x\r\n\r\n`, 'latin1'),
      );
    parseAnswer(`HTTP/1.1 200 OK\r\nKeep-Alive: ${long}`, 'GET');
    parseAnswer(`HTTP/1.1 200 ${long}`, 'GET');
  }
  expect((process.cpuUsage().user - began) / 1_000).toBeLessThan(20_000);
});
