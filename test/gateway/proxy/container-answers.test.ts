import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type Proxied, problemIn, startProxied, ways } from './support.ts';

let on: Proxied;
let host: string;
let at: number;
/** What the container answers, and whether it ends the connection behind it. */
let says: { answer: string; ends: boolean; pieces?: boolean };
let connections = 0;
const sockets = new Set<Socket>();
const server = createServer((socket) => {
  connections += 1;
  sockets.add(socket);
  socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  socket.on('data', () => {
    const { answer, ends, pieces } = says;
    if (pieces) {
      socket.setNoDelay(true);
      for (const byte of answer) socket.write(byte, 'latin1');
    } else socket.write(answer, 'latin1');
    if (ends) socket.end();
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  on = await startProxied({ RUNLET_SERVICE_TIMEOUT_MS: '3000' });
  at = (server.address() as AddressInfo).port;
  ({ host } = await on.service({ at }));
});
afterAll(async () => {
  await on.stop();
  for (const socket of sockets) socket.destroy();
  server.close();
});

type Expected = {
  status?: number;
  body?: string;
  fields?: Record<string, string | undefined>;
  again?: boolean;
};

/** What is taken of an answer, and whether its connection is used again. */
const taken: [string, string, Expected][] = [
  // RFC 9112 §2.2
  [
    'lines that end with LF alone',
    'HTTP/1.1 200 OK\nX-A: b\nContent-Length: 2\n\nhi',
    { fields: { 'x-a': 'b' } },
  ],
  ['some lines that do', 'HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 2\n\r\nhi', { fields: { 'x-a': 'b' } }],
  ['others that do', 'HTTP/1.1 200 OK\nX-A: b\r\nContent-Length: 2\r\n\nhi', { fields: { 'x-a': 'b' } }],
  [
    'LF alone, and a body that looks like the end of a head',
    'HTTP/1.1 200 OK\nContent-Length: 9\n\na\r\n\r\nb: c',
    { body: 'a\r\n\r\nb: c' },
  ],
  ['a head without fields', 'HTTP/1.1 200 OK\n\nhi', { again: false }],
  ['an empty line before it', '\r\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi', {}],
  // §5.2
  [
    'folded lines',
    'HTTP/1.1 200 OK\r\nX-A: a;\r\n\t b;  \r\n c\r\nX-B:\r\n d\r\nX-C: e\r\n \t\r\nContent-Length: 2\r\n\r\nhi',
    { fields: { 'x-a': 'a; b; c', 'x-b': 'd', 'x-c': 'e' } },
  ],
  ['folded framing', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nhi', {}],
  [
    'a folded coding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding:\n\tchunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    { fields: { 'transfer-encoding': 'chunked' } },
  ],
  // §5.1
  [
    'space before a colon',
    'HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length \t: 2\r\n\r\nhi',
    { fields: { 'x-a': 'b', 'content-length': '2' } },
  ],
  // §4
  ['no reason, nor its space', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi', {}],
  ['no reason', 'HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi', {}],
  ['more space in the first line', 'HTTP/1.1  200 \t OK  \r\nContent-Length: 2\r\n\r\nhi', {}],
  ['a status of nobody’s', 'HTTP/1.1 799 What\r\nContent-Length: 2\r\n\r\nhi', { status: 799 }],
  ['a later HTTP/1', 'HTTP/1.3 200 OK\r\nContent-Length: 2\r\n\r\nhi', {}],
  // §6.1, §6.3
  [
    'identity, until the end',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhi',
    { again: false, fields: { 'content-length': undefined } },
  ],
  [
    'identity, and a length',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: Identity\r\nContent-Length: 2\r\n\r\nhi',
    { again: false, fields: { 'transfer-encoding': undefined, 'content-length': '2' } },
  ],
  [
    'identity, then chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    {},
  ],
  [
    'a coding that is empty',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 2\r\n\r\nhi',
    { again: false },
  ],
  [
    'chunks and a length',
    'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    { again: false, fields: { 'content-length': undefined } },
  ],
  [
    'chunks of HTTP/1.0',
    'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    { again: false },
  ],
  ['HTTP/1.0 without a length', 'HTTP/1.0 200 OK\r\n\r\nhi', { again: false }],
  [
    'the same length twice',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi',
    { fields: { 'content-length': '2' } },
  ],
  [
    'the same length in a list',
    'HTTP/1.1 200 OK\r\nContent-Length: 2, 2,2\r\nContent-Length: 2\r\n\r\nhi',
    { fields: { 'content-length': '2' } },
  ],
  // §9.3
  [
    'keep-alive and close',
    'HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi',
    { again: false },
  ],
  // RFC 9110 §15: a class that is known stands for a status that is not.
  [
    'any 1xx before it',
    'HTTP/1.1 199 Hm\nX: y\n\nHTTP/1.1 102 Processing\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
    {},
  ],
  // §7.1
  [
    'extensions of chunks, and space',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nh\r\n1 \r\ni\r\n000;x="y;z"\r\n\r\n',
    {},
  ],
  ['chunks with LF alone', 'HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\nh\n1\r\ni\n0\nX-A: b\n\n', {}],
  [
    'no empty line behind the last chunk, and the end',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n',
    { again: false },
  ],
  [
    'trailers that are cut off',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-A: b\r\nX-',
    { again: false },
  ],
];

const ends = (answer: string, again: boolean | undefined) =>
  again === false && !/\nContent-Length/.test(answer);

describe.each(ways)('by the %s, taken', (_, way) => {
  test.each(taken)('%s', async (_name, answer, { status = 200, body = 'hi', fields = {}, again = true }) => {
    // Of each its own connections.
    const { host } = await on.service({ at });
    says = { answer, ends: ends(answer, again) };
    const before = connections;
    for (const pieces of [false, true, true]) {
      says = { ...says, pieces };
      const got = await call(on.port, host, '/', { headers: way });
      expect(got).toMatchObject({ status, body });
      for (const [name, value] of Object.entries(fields)) expect(got.headers[name], name).toBe(value);
    }
    expect(connections - before).toBeLessThanOrEqual(again ? 1 : 3);
    if (!again) expect(connections - before).toBe(3);
  });
});

/** What is not, and what the caller is told. */
const refused: [string, string, RegExp][] = [
  ['another protocol that waits', 'SSH-2.0-OpenSSH_9.2\r\n', /begins with "SSH-2\.0-OpenSSH_9\.2/],
  ['TLS', '\x15\x03\x01\0\x02\x02\x16', /begins with "\\x15\\x03\\x01\\x00/],
  ['HTTP/2', 'HTTP/2 200\r\n\r\n', /first line, "HTTP\/2 200", is no status line/],
  ['no status', 'HTTP/1.1 OK\r\n\r\n', /first line, "HTTP\/1\.1 OK"/],
  ['a status too long', 'HTTP/1.1 2000 OK\r\n\r\n', /first line/],
  ['a first line with a CR', 'HTTP/1.1 200 O\rK\r\n\r\n', /first line, "HTTP\/1\.1 200 O\\x0dK"/],
  [
    'a name that is none',
    'HTTP/1.1 200 OK\r\nA: b\r\nBad Name: x\r\n\r\n',
    /line 3 of its head, "Bad Name: x", has a name/,
  ],
  ['no name', 'HTTP/1.1 200 OK\r\n: x\r\n\r\n', /line 2 of its head, ": x", has no name/],
  ['no colon', 'HTTP/1.1 200 OK\nnonsense\n\n', /line 2 of its head, "nonsense", has no colon/],
  [
    'a CR that ends no line',
    'HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n',
    /line 2 .* holds a CR that ends no line/,
  ],
  ['two CRs', 'HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n', /line 2 .* holds a CR that ends no line/],
  [
    'NUL',
    'HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n',
    /line 2 of its head, "A: b\\x00c", holds a control character/,
  ],
  ['a control character', 'HTTP/1.1 200 OK\r\nA: \x1b[31m\r\n\r\n', /line 2 .* holds a control character/],
  ['space before the first field', 'HTTP/1.1 200 OK\r\n A: b\r\n\r\n', /line 2 .* folds no field/],
  [
    'two lengths',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n',
    /Content-Length is both 5 and 6/,
  ],
  ['two in a list', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n', /Content-Length is both 5 and 6/],
  [
    'a length that is none',
    'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n',
    /Content-Length, "\+5", is none/,
  ],
  ['an empty length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n', /Content-Length, "", is none/],
  ['a folded length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 5\r\n\r\n', /Content-Length, "5 5", is none/],
  [
    'a coding',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    /Transfer-Encoding, "gzip, chunked", is not only/,
  ],
  [
    'chunked twice',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n',
    /Transfer-Encoding/,
  ],
  [
    'chunked, not last',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n',
    /Transfer-Encoding/,
  ],
  ['a switch that nobody asked for', 'HTTP/1.1 101 x\r\nUpgrade: x\r\n\r\n', /switches protocols unasked/],
  [
    'a very long line',
    `HTTP/1.1 200 OK\r\nX: \x01${'a'.repeat(9_000)}\r\n\r\n`,
    /line 2 of its head, "X: \\x01a{50,60}…", holds/,
  ],
];

describe.each(ways)('by the %s, refused, and said why', (_, way) => {
  test.each(refused)('%s', async (_name, answer, detail) => {
    // It does not end the connection: what is wrong is seen at once.
    says = { answer, ends: false };
    const problem = problemIn(await call(on.port, host, '/', { headers: way }));
    expect(problem).toMatchObject({ status: 502, code: 'service_unreachable' });
    expect(problem.detail).toMatch(detail);
    expect(problem.detail.length).toBeLessThan(400);
  });
});

/** Begun, and then broken: the client does not take it for the whole. */
test.each([
  ['a size that is none', '2\r\nhi\r\nzz\r\n'],
  ['a size with a sign', '2\r\nhi\r\n-1\r\n'],
  ['data that is longer', '2\r\nhid\r\n0\r\n\r\n'],
  ['a CR alone behind a size', '2\rhi\r\n0\r\n\r\n'],
  ['the end before the last chunk', '2\r\nhi\r\n'],
  ['the end within the last size', '2\r\nhi\r\n0'],
  ['a trailer that is none', '2\r\nhi\r\n0\r\nno trailer\r\n\r\n'],
])('chunks: %s', async (_name, chunks) => {
  says = { answer: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`, ends: true };
  for (const [, way] of ways)
    await expect(call(on.port, host, '/', { headers: way })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
});

test('trailers that would say something of the head are dropped', async () => {
  const trailers = 'Content-Length: 5\r\nSet-Cookie: a=b\r\nTransfer-Encoding: gzip\r\nX-Kept: yes\r\n';
  says = {
    answer: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${trailers}\r\n`,
    ends: false,
  };
  for (const [, way] of ways)
    expect((await call(on.port, host, '/', { headers: way })).trailers).toEqual({ 'x-kept': 'yes' });
});
