import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, ways } from '../gateway/proxy/support.ts';
import { answersIn, type Sayer, speak, startProxiedSayer, valuesOf } from './support/http.ts';

// RFC 9110 §7.6.1: a Connection field names what is of one connection. What frames a message, or is for whoever reads its content, is not.

let on: Sayer;
let sayer: Sayer['sayer'];
let host: string;
let id: string;
beforeAll(async () => {
  on = await startProxiedSayer();
  ({ sayer, host, id } = on);
});
afterAll(() => on.stop());

const connections = [
  'content-length',
  'Content-Length',
  'close, content-length',
  'keep-alive,\tcONTENT-lENGTH  ,, x-hop',
  'content-type',
  'close, content-type, set-cookie, cache-control, etag, location, vary, x-hop',
  'transfer-encoding',
  'content-encoding, content-range, trailer, date',
  'content-security-policy, x-frame-options, access-control-allow-origin, sec-x, cross-origin-opener-policy',
];

describe.each(ways)('by the %s', (_, way) => {
  const more = Object.entries(way).map(([name, value]) => `${name}: ${value}\r\n`);
  const get = (path = '/') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more.join('')}\r\n`;

  test.each(connections)(
    'a container’s `Connection: %s` takes no field away that frames or describes',
    async (named) => {
      const kept = {
        'content-type': 'text/x-kept',
        'set-cookie': 'a=b',
        'cache-control': 'max-age=7',
        etag: '"e"',
        location: '/there',
        vary: 'x',
        'content-encoding': 'x-none',
        'content-range': 'bytes 0-4/9',
        date: 'Mon, 01 Jan 2024 00:00:00 GMT',
        'content-security-policy': 'default-src x',
        'x-frame-options': 'DENY',
        'access-control-allow-origin': 'x',
        'sec-x': 'y',
        'cross-origin-opener-policy': 'same-origin',
      };
      const lines = Object.entries(kept).map(([name, value]) => `${name}: ${value}\r\n`);
      sayer.say(
        `HTTP/1.1 200 OK\r\nConnection: ${named}\r\nX-Hop: one\r\n${lines.join('')}Content-Length: 5\r\n\r\nhello`,
      );
      // Two on one connection: what frames the first decides where the second begins.
      const { text } = await speak(on.port, get() + get(), /hello[\s\S]*hello/);
      const { answers, rest } = answersIn(text);
      expect([answers.map(({ status, body }) => [status, body]), rest]).toEqual([
        [
          [200, 'hello'],
          [200, 'hello'],
        ],
        '',
      ]);
      for (const { fields } of answers) {
        expect(valuesOf(fields, 'content-length')).toEqual(['5']);
        for (const [name, value] of Object.entries(kept))
          expect([name, ...valuesOf(fields, name)]).toEqual([name, value]);
      }
      if (named.includes('x-hop')) expect(valuesOf(answers[0]?.fields ?? [], 'x-hop')).toEqual([]);
    },
  );

  test('several Connection fields are one, and what is of the connection stays on it', async () => {
    sayer.say(
      'HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nConnection: content-length\r\nCONNECTION: x-hop-2, Keep-Alive\r\nX-Hop: 1\r\nX-Hop-2: 2\r\nX-End: 3\r\nKeep-Alive: timeout=3\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nTE: gzip\r\nProxy-Authenticate: Basic\r\nContent-Length: 5\r\n\r\nhello',
    );
    const { answers } = answersIn((await speak(on.port, get() + get(), /hello[\s\S]*hello/)).text);
    expect(answers).toHaveLength(2);
    const fields = answers[0]?.fields ?? [];
    for (const name of ['x-hop', 'x-hop-2', 'proxy-connection', 'upgrade', 'te'])
      expect([name, ...valuesOf(fields, name)]).toEqual([name]);
    expect(valuesOf(fields, 'keep-alive')).not.toContain('timeout=3');
    expect(valuesOf(fields, 'x-end')).toEqual(['3']);
    expect(valuesOf(fields, 'content-length')).toEqual(['5']);
  });

  test('a client’s Connection takes nothing from the request that is for the container', async () => {
    sayer.say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello');
    const kept = {
      'content-type': 'text/x-kept',
      cookie: 'a=b',
      authorization: 'Basic dTpw',
      'cache-control': 'no-cache',
      'if-match': '"e"',
      range: 'bytes=0-1',
      origin: 'http://o.example',
      referer: 'http://r.example/',
      'user-agent': 'u',
      accept: 'x/y',
      'sec-fetch-site': 'none',
      'x-forwarded-host': '*',
      'x-forwarded-for': '*',
      host: '*',
      'content-length': '2',
    };
    const named = `close, ${Object.keys(kept).join(' , ')},Transfer-Encoding, X-Hop`;
    await call(on.port, host, '/', {
      method: 'POST',
      headers: {
        ...way,
        ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== '*')),
        connection: named,
        'x-hop': 'one',
      },
      body: 'hi',
    });
    const [head = ''] = sayer.heard;
    for (const name of Object.keys(kept)) expect(head.toLowerCase()).toContain(`\r\n${name}: `);
    expect(head.toLowerCase()).not.toContain('x-hop');
  });
});

test('a trailer field before a body of a known length ends no gateway', async () => {
  sayer.say('HTTP/1.1 200 OK\r\nTrailer: X-T\r\nContent-Length: 5\r\n\r\nhello');
  for (const [, way] of ways)
    expect(await call(on.port, host, '/', { headers: way })).toMatchObject({ status: 200, body: 'hello' });
  sayer.say('HTTP/1.1 204 No Content\r\nTrailer: X-T\r\n\r\n');
  for (const [, way] of ways) expect((await call(on.port, host, '/', { headers: way })).status).toBe(204);
});

test('of a switch of protocols, too', async () => {
  sayer.say(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, sec-websocket-accept, X-Hop\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: abc\r\nX-Hop: one\r\nAlt-Svc: h2=":1"\r\n\r\n',
  );
  const ask = (path: string) =>
    speak(
      on.port,
      `GET ${path} HTTP/1.1\r\nHost: ${path === '/' ? host : 'localhost'}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
      /\r\n\r\n/,
    );
  for (const path of ['/', `/s/${id}/`]) {
    const { text } = await ask(path);
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    expect(text.toLowerCase()).toContain('sec-websocket-accept: abc');
    expect(text.toLowerCase()).not.toContain('x-hop');
    expect(text.toLowerCase()).not.toContain('alt-svc');
  }
});
