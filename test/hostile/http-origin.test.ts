import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ways } from '../gateway/proxy/support.ts';
import { answersIn, type Sayer, speak, startProxiedSayer, valuesOf } from './support/http.ts';

// What a container says must not be taken for the word of an origin, or of a host, that it does not have for itself.

let on: Sayer;
let sayer: Sayer['sayer'];
let host: string;
let id: string;
beforeAll(async () => {
  on = await startProxiedSayer();
  ({ sayer, host, id } = on);
});
afterAll(() => on.stop());

/** Of the connection's edge, which is ours: where the host is served, and how it fares. */
const ofEdge = {
  'Alt-Svc': 'h2="evil.example:443"; ma=86400',
  NEL: '{"report_to":"x","max_age":86400,"include_subdomains":true}',
  'Public-Key-Pins': 'pin-sha256="x"; max-age=5184000',
  'Public-Key-Pins-Report-Only': 'pin-sha256="x"',
  'Expect-CT': 'max-age=86400',
};
/** Of the whole origin. */
const ofOrigin = {
  'Report-To': '{"group":"x","max_age":86400,"endpoints":[{"url":"https://evil.example"}]}',
  'Reporting-Endpoints': 'x="https://evil.example"',
  'Strict-Transport-Security': 'max-age=63072000',
  'Service-Worker-Allowed': '/',
  'Clear-Site-Data': '"*"',
  'Accept-CH': 'Sec-CH-UA-Model',
  'Critical-CH': 'Sec-CH-UA-Model',
  'Origin-Agent-Cluster': '?1',
  'Set-Login': 'logged-in',
  'Use-As-Dictionary': 'match="/*"',
  'Attribution-Reporting-Register-Source': '{}',
  'Sec-Session-Registration': '(ES256);path="x"',
  'Proxy-Authenticate': 'Basic',
};
const all = { ...ofEdge, ...ofOrigin };
const lines = Object.entries(all)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');
const names = (some: object) => Object.keys(some).map((name) => name.toLowerCase());

describe.each(ways)('by the %s', (_, way) => {
  const more = Object.entries(way)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const get = (to: string, path: string) =>
    `GET ${path} HTTP/1.1\r\nHost: ${to}\r\nTE: trailers\r\nConnection: TE\r\n${more}\r\n`;
  const answered = async (to: string, path: string, enough: RegExp) => {
    const { text } = await speak(on.port, get(to, path), enough);
    return { text, ...answersIn(text) };
  };

  test('by path nothing of it goes on, in an answer, in what comes before it, or behind it', async () => {
    sayer.say(
      `HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n${lines}Set-Cookie: a=b; Path=/; Domain=localhost\r\nLocation: /x\r\n\r\n` +
        `HTTP/1.1 200 OK\r\n${lines}X-Kept: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${lines}Set-Cookie: a=b\r\nX-T: 1\r\n\r\n`,
    );
    const { answers, text } = await answered('localhost', `/s/${id}/`, /\r\n0\r\n(?:.+\r\n)*\r\n$/);
    expect(answers.map(({ status }) => status)).toEqual([103, 200]);
    for (const name of names(all))
      expect([name, text.toLowerCase().includes(`${name}:`)]).toEqual([name, false]);
    const [hints, answer] = answers;
    expect(valuesOf(hints?.fields ?? [], 'link')).toEqual(['</a>; rel=preload']);
    expect(valuesOf(hints?.fields ?? [], 'set-cookie')).toEqual([`a=b; Path=/s/${id}/`]);
    expect(valuesOf(hints?.fields ?? [], 'location')).toEqual([`/s/${id}/x`]);
    expect(valuesOf(answer?.fields ?? [], 'x-kept')).toEqual(['1']);
    expect(text).toMatch(/\r\n0\r\nX-T: 1\r\n\r\n$/);
  });

  test('by name, where the origin is the service’s, only what is of the connection’s edge is dropped', async () => {
    sayer.say(
      `HTTP/1.1 103 Early Hints\r\n${lines}\r\nHTTP/1.1 200 OK\r\n${lines}Content-Length: 2\r\n\r\nhi`,
    );
    const { answers, text } = await answered(host, '/', /hi$/);
    expect(answers.map(({ status }) => status)).toEqual([103, 200]);
    for (const name of names(ofEdge))
      expect([name, text.toLowerCase().includes(`\n${name}:`)]).toEqual([name, false]);
    const fields = answers[1]?.fields ?? [];
    for (const name of [
      'clear-site-data',
      'strict-transport-security',
      'reporting-endpoints',
      'service-worker-allowed',
    ])
      expect([name, valuesOf(fields, name).length]).toEqual([name, 1]);
  });

  test.each([
    ['a=1; Domain=localhost; Path=/', 'a=1; Path=/'],
    ['a=1; domain = .LOCALHOST ;HttpOnly', 'a=1;HttpOnly'],
    ['a=1; Domain={host}', 'a=1'],
    ['a=1; Domain=elsewhere.example', 'a=1; Domain=elsewhere.example'],
    ['a=1; Max-Age=5', 'a=1; Max-Age=5'],
  ])('by name the cookie %s is for no neighbour', async (cookie, kept) => {
    const name = host.split(':')[0] ?? '';
    sayer.say(
      `HTTP/1.1 200 OK\r\nSet-Cookie: ${cookie.replace('{host}', name)}\r\nContent-Length: 2\r\n\r\nhi`,
    );
    const { answers } = await answered(host, '/', /hi$/);
    expect(valuesOf(answers[0]?.fields ?? [], 'set-cookie')).toEqual([kept]);
  });

  test('a container sets no cookie that is Runlet’s own', async () => {
    const cookies = ['runlet_token=x', ' runlet_token = x; Path=/', '=runlet_token=x', 'RUNLET=1'];
    const set = cookies.map((cookie) => `Set-Cookie: ${cookie}\r\n`).join('');
    sayer.say(`HTTP/1.1 200 OK\r\n${set}Content-Length: 2\r\n\r\nhi`);
    for (const [to, path] of [
      [host, '/'],
      ['localhost', `/s/${id}/`],
    ] as const) {
      const { answers } = await answered(to, path, /hi$/);
      const got = valuesOf(answers[0]?.fields ?? [], 'set-cookie');
      expect(got).toHaveLength(1);
      expect(got[0]).toMatch(/^RUNLET=1/);
    }
  });

  test('a container’s trailers say nothing that is a head’s', async () => {
    const trailers = [
      'Content-Length: 9',
      'Transfer-Encoding: chunked',
      'Set-Cookie: a=b',
      'Cache-Control: max-age=9',
      'Location: http://evil.example',
      'Content-Security-Policy: default-src *',
      'Access-Control-Allow-Origin: *',
      'WWW-Authenticate: Basic',
      'Vary: *',
      'Age: 1',
      'Connection: x',
      'X-Hop: 1',
      'Link: </x>',
      'Refresh: 0',
    ];
    sayer.say(
      `HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${trailers.join('\r\n')}\r\nETag: "e"\r\nServer-Timing: a\r\ngrpc-status: 0\r\nX-T: u\r\n\r\n`,
    );
    const { text } = await answered(host, '/', /\r\n0\r\n(?:.+\r\n)*\r\n$/);
    const behind = text.slice(text.indexOf('\r\n0\r\n') + 5);
    expect(behind).toBe('ETag: "e"\r\nServer-Timing: a\r\ngrpc-status: 0\r\nX-T: u\r\n\r\n');
  });
});

test('a request’s trailers are held to what its head is held to', async () => {
  sayer.say('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi');
  const key = await on.apiKey();
  const bad = [
    `Authorization: Bearer ${key}`,
    'Proxy-Authorization: Basic x',
    'Cookie: runlet_token=abc',
    `Referer: http://x/?runlet_token=abc`,
    `Sec-WebSocket-Protocol: runlet.bearer.abc`,
    'X-Forwarded-For: 6.6.6.6',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Anything: x',
    'Forwarded: for=6.6.6.6',
    'X-Real-IP: 6.6.6.6',
    'Via: x',
    'Host: evil',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'Content-Type: text/html',
    'Content-Encoding: gzip',
    'Content-Disposition: x',
    'Trailer: x',
    'Expect: 100-continue',
    'Max-Forwards: 0',
    'Cache-Control: no-store',
    'Pragma: x',
    'If-Match: x',
    'If-None-Match: x',
    'Range: bytes=0-1',
    'Origin: http://evil',
    'Sec-Fetch-Site: same-origin',
    'User-Agent: x',
    'Accept: x',
    'Connection: close',
    'Keep-Alive: x',
    'HTTP2-Settings: x',
    'TE: trailers',
    'Upgrade: x',
    'X-HTTP-Method-Override: DELETE',
    'X-Hop: 1',
  ];
  const good = ['X-Checksum: abc', 'Content-Digest: sha-256=:x:', 'grpc-status: 0'];
  for (const one of bad) {
    sayer.heard.length = 0;
    const { text } = await speak(
      on.port,
      `POST / HTTP/1.1\r\nHost: ${host}\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n${[one, ...good].join('\r\n')}\r\n\r\n`,
      /hi$|problem/,
    );
    const [heard] = sayer.heard;
    // Node's parser refuses those that frame.
    if (heard === undefined) expect([one, text.slice(0, 13)]).toEqual([one, 'HTTP/1.1 400 ']);
    else
      expect([one, heard.slice(heard.indexOf('\r\n0\r\n') + 5)]).toEqual([
        one,
        `${good.join('\r\n')}\r\n\r\n`,
      ]);
    if (one.includes(key)) expect(heard).not.toContain(key);
  }
});
