import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Container, type Proxied, startContainer, startProxied } from '../gateway/proxy/support.ts';
import { answersIn, speak, valuesOf } from './support/http.ts';

// Whatever is no request, or no request that can be read in one way alone, is answered as every error is (RFC 9457), and its connection ends.

let on: Proxied;
let container: Container;
let host: string;
let key: string;
beforeAll(async () => {
  container = await startContainer((incoming, outgoing) => {
    if (incoming.url === '/slow') setTimeout(() => outgoing.end('slow'), 300);
    else if (incoming.url === '/begins') {
      outgoing.writeHead(200, { 'content-length': '10' });
      outgoing.write('12345');
    } else outgoing.end(`container ${incoming.headers.host}`);
  });
  on = await startProxied();
  ({ host } = await on.service({ at: container.port }));
  key = await on.apiKey();
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

function isProblem(text: string, status?: number) {
  const { answers, rest } = answersIn(text);
  const [answer] = answers;
  if (answer === undefined) throw new Error(`no answer: ${JSON.stringify(text)}`);
  expect([answers.length, rest]).toEqual([1, '']);
  if (status !== undefined) expect([answer.status, answer.body]).toEqual([status, expect.anything()]);
  expect(valuesOf(answer.fields, 'content-type')).toEqual(['application/problem+json']);
  const body = JSON.parse(answer.body);
  expect(body).toMatchObject({
    status: answer.status,
    code: expect.stringMatching(/^[a-z_]+$/),
    title: expect.any(String),
    detail: expect.stringMatching(/.{10}/),
  });
  expect(body.type.endsWith(`/${body.code}`)).toBe(true);
  return answer;
}

const api = 'Host: localhost\r\n';
const get = 'GET /healthz HTTP/1.1\r\n';

/** To the API, and to a service: `HOST` is the one or the other. */
const broken: [string, string, number][] = [
  ['two Host fields', 'GET /healthz HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n', 400],
  ['two that differ', 'GET /healthz HTTP/1.1\r\nHost: {host}\r\nHost: other\r\n\r\n', 400],
  ['two, the first empty', 'GET /healthz HTTP/1.1\r\nHost:\r\nhost: {host}\r\n\r\n', 400],
  ['two in HTTP/1.0', 'GET /healthz HTTP/1.0\r\nHost: {host}\r\nHost: other\r\n\r\n', 400],
  [
    'two, and an absolute target',
    'GET http://{host}/healthz HTTP/1.1\r\nHost: {host}\r\nHost: other\r\n\r\n',
    400,
  ],
  ['a list of hosts', 'GET /healthz HTTP/1.1\r\nHost: {host}, other\r\n\r\n', 400],
  ['a list without spaces', 'GET /healthz HTTP/1.1\r\nHost: {host},other\r\n\r\n', 400],
  ['an empty Host', 'GET /healthz HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['a Host of a space', 'GET /healthz HTTP/1.1\r\nHost:  \r\n\r\n', 400],
  ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
  ['a Host with a user', 'GET /healthz HTTP/1.1\r\nHost: user@{host}\r\n\r\n', 400],
  ['a Host with a path', 'GET /healthz HTTP/1.1\r\nHost: {host}/x\r\n\r\n', 400],
  ['a Host with a question mark', 'GET /healthz HTTP/1.1\r\nHost: {host}?x\r\n\r\n', 400],
  ['a Host with a number sign', 'GET /healthz HTTP/1.1\r\nHost: {host}#x\r\n\r\n', 400],
  ['a Host with a backslash', 'GET /healthz HTTP/1.1\r\nHost: {host}\\x\r\n\r\n', 400],
  ['a Host with a space', 'GET /healthz HTTP/1.1\r\nHost: {host} x\r\n\r\n', 400],
  ['a port that is none', 'GET /healthz HTTP/1.1\r\nHost: localhost:x\r\n\r\n', 400],
  ['a port that is too large', 'GET /healthz HTTP/1.1\r\nHost: localhost:99999\r\n\r\n', 400],
  ['a Host of a scheme', 'GET /healthz HTTP/1.1\r\nHost: http://{host}\r\n\r\n', 400],
  ['a Host that is not ASCII', 'GET /healthz HTTP/1.1\r\nHost: l\xf6calhost\r\n\r\n', 400],
  [
    'two on a WebSocket',
    'GET /healthz HTTP/1.1\r\nHost: {host}\r\nHost: other\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    400,
  ],
  [
    'two where a 100 is waited for',
    'POST /healthz HTTP/1.1\r\nHost: {host}\r\nHost: other\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
    400,
  ],
  ['an absolute target with a user', 'GET http://u@{host}/healthz HTTP/1.1\r\nHost: {host}\r\n\r\n', 400],
  ['an absolute target of another scheme', 'GET ftp://{host}/healthz HTTP/1.1\r\nHost: {host}\r\n\r\n', 400],
  ['an absolute target without a host', 'GET http:///healthz HTTP/1.1\r\nHost: {host}\r\n\r\n', 400],
  ['* of another method than OPTIONS', 'GET * HTTP/1.1\r\nHost: {host}\r\n\r\n', 400],
  ['a target that is none', 'GET healthz HTTP/1.1\r\nHost: {host}\r\n\r\n', 400],
  ['CONNECT', 'CONNECT {host}:80 HTTP/1.1\r\nHost: {host}\r\n\r\n', 405],
  [
    'another coding',
    'POST /healthz HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['identity', 'POST /healthz HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: identity\r\n\r\n', 400],
  [
    'chunks and a length',
    'POST /healthz HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n',
    400,
  ],
  [
    'two lengths',
    'POST /healthz HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
    400,
  ],
  ['a length that is none', 'POST /healthz HTTP/1.1\r\nHost: {host}\r\nContent-Length: +3\r\n\r\nabc', 400],
  [
    'another expectation',
    'POST /healthz HTTP/1.1\r\nHost: {host}\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nhi',
    417,
  ],
  ['a space before a colon', 'GET /healthz HTTP/1.1\r\nHost : {host}\r\n\r\n', 400],
  ['a folded line', 'GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: a\r\n b\r\n\r\n', 400],
  ['a NUL', 'GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: a\0b\r\n\r\n', 400],
  ['a line that ends with CR', 'GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: a\rY: b\r\n\r\n', 400],
  [
    'heads that are too large',
    `GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`,
    431,
  ],
  ['a target that is too long', `GET /${'y'.repeat(40_000)} HTTP/1.1\r\nHost: {host}\r\n\r\n`, 431],
];

describe.each(['the API', 'a service'])('to %s', (what) => {
  test.each(broken)('%s', async (_, bytes, status) => {
    const to = what === 'the API' ? 'localhost' : (host.split(':')[0] as string);
    const { text, ended } = await speak(on.port, bytes.replaceAll('{host}', to), undefined, 2_000);
    const answer = isProblem(text, status);
    expect(ended).toBe(true);
    expect(valuesOf(answer.fields, 'connection')).toEqual(['close']);
  });
});

const nonsense: [string, string, number][] = [
  ['no HTTP', 'NONSENSE\r\n\r\n', 400],
  ['an unknown method', `BREW / HTTP/1.1\r\n${api}\r\n`, 400],
  ['a method in small letters', `get / HTTP/1.1\r\n${api}\r\n`, 400],
  ['TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400],
  ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ['HTTP/3.0', `GET /healthz HTTP/3.0\r\n${api}\r\n`, 505],
  ['HTTP/0.9', 'GET /healthz\r\n\r\n', 400],
  ['another protocol', `GET /healthz ICY/1.0\r\n${api}\r\n`, 400],
  ['a chunk that is none', `POST /v1/runs HTTP/1.1\r\n${api}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
];

/** Requests that ask for the connection's end themselves. */
const fine: [string, string, number][] = [
  ['TRACE of the API', `TRACE /healthz HTTP/1.1\r\n${api}Connection: close\r\n\r\n`, 405],
  ['TRACE without a key', `TRACE /v1/runs HTTP/1.1\r\n${api}Connection: close\r\n\r\n`, 401],
  ['PROPFIND', `PROPFIND /healthz HTTP/1.1\r\n${api}Connection: close\r\n\r\n`, 405],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${api}Connection: close\r\n\r\n`, 400],
  [
    'a WebSocket without its key',
    `GET /v1/runs HTTP/1.1\r\n${api}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    401,
  ],
  ['a bad escape', `GET /%zz HTTP/1.1\r\n${api}Connection: close\r\n\r\n`, 401],
];

test.each([...nonsense, ...fine])('%s is a problem', async (_, bytes, status) => {
  const { text, ended } = await speak(on.port, bytes, undefined, 2_000);
  isProblem(text, status);
  expect(ended).toBe(true);
});

test('what is right stays right', async () => {
  const name = host.split(':')[0];
  for (const [bytes, body] of [
    [`${get}Host: localhost\r\nConnection: close\r\n\r\n`, 'alive'],
    [`${get}Host: LOCALHOST.:8080\r\nConnection: close\r\n\r\n`, 'alive'],
    [`${get}Host: [::1]:8080\r\nConnection: close\r\n\r\n`, 'alive'],
    [`${get}Host: 127.0.0.1:\r\nConnection: close\r\n\r\n`, 'alive'],
    [`${get}Host: some_host-1.example\r\nConnection: close\r\n\r\n`, 'alive'],
    ['GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n', 'alive'],
    ['GET http://localhost/healthz HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n', 'alive'],
    [`GET http://${name}/ HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n`, `container ${name}`],
    [`OPTIONS * HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`, `container ${name}`],
    [`GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`, `container ${name}`],
  ] as const) {
    const { text } = await speak(on.port, bytes);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toContain(body);
  }
});

describe('a broken request behind another one', () => {
  test('is answered behind it, and never in its place', async () => {
    const slow = `GET /slow HTTP/1.1\r\nHost: ${host}\r\nUpgrade: x\r\n\r\n`;
    const { text } = await speak(on.port, `${slow}NONSENSE\r\n\r\n`, undefined, 2_000);
    const { answers } = answersIn(text);
    expect(answers.map(({ status }) => status)).toEqual([200, 400]);
    expect(answers[0]?.body).toContain('slow');
  });

  test('is never put into an answer that has begun', async () => {
    const bytes = `POST /begins HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n`;
    const { text, ended } = await speak(on.port, bytes, /12345/);
    expect([text.includes('12345'), ended]).toEqual([true, false]);
    const { connect } = await import('node:net');
    const all = await new Promise<string>((resolve) => {
      let got = '';
      const socket = connect(on.port, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (data) => {
        got += data.toString('latin1');
        if (got.includes('12345')) socket.write('zz\r\n');
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(got));
    });
    expect(all).toMatch(/12345$/);
  });
});

test('a handshake that no WebSocket is, of a route that takes them, is a problem', async () => {
  const created = await fetch(`${on.url}/v1/runs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ image: 'a', interactive: true }),
  });
  const { id } = (await created.json()) as { id: string };
  for (const [method, fields, status] of [
    ['GET', 'Sec-WebSocket-Version: 13\r\n', 400],
    ['GET', 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n', 400],
    ['GET', 'Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n', 400],
    ['POST', 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n', 405],
  ] as const) {
    const { text, ended } = await speak(
      on.port,
      `${method} /v1/runs/${id}/attach HTTP/1.1\r\n${api}Authorization: Bearer ${key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${fields}\r\n`,
      undefined,
      2_000,
    );
    isProblem(text, status);
    expect(ended).toBe(true);
  }
});
