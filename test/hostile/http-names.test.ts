import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../shared/ids.ts';
import { type Proxied, startProxied } from '../gateway/proxy/support.ts';
import { speak } from './support/http.ts';

// Whoever has no key learns nothing of private services: neither that there is one of a name, nor that there is none.

let on: Proxied;
let mine: string;
let theirs: string;
const known: Record<string, { name: string; id: string }> = {};
beforeAll(async () => {
  on = await startProxied();
  mine = await on.apiKey('default');
  theirs = await on.apiKey('acme');
  const private_ = { public: false };
  known.ready = await on.service({ request: private_ });
  known.idle = await on.service({ status: 'idle', request: private_ });
  known.crashed = await on.service({ status: 'crash_looping', request: private_ });
  known.portless = await on.service({ request: { ...private_, port: undefined } });
  known.nobodys = await on.service({ unassigned: true, request: private_ });
});
afterAll(() => on.stop());

const hosts = () => [
  ...Object.values(known).map(({ name }) => `${name}.localhost`),
  'nobody.localhost',
  '-a.localhost',
  'a_b.localhost',
  'a..localhost',
  'a.b.c.localhost',
  `${'a'.repeat(63)}.localhost`,
  `${'a'.repeat(64)}.localhost`,
  `${'a'.repeat(250)}.localhost`,
  'nobody.nobody.localhost',
];
const paths = () => [
  ...Object.values(known).map(({ id }) => `/s/${id}/`),
  `/s/${newId('svc')}/`,
  '/s/web/',
  `/s/${'a'.repeat(300)}/`,
  '/s//',
];

const token = `${(Date.now() + 1e6).toString(36)}.${'A'.repeat(43)}`;
const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const requests: [string, string, string][] = [
  ['nothing', 'GET', ''],
  ['HEAD', 'HEAD', ''],
  ['OPTIONS', 'OPTIONS', ''],
  ['a preflight', 'OPTIONS', 'Origin: http://a.example\r\nAccess-Control-Request-Method: PUT\r\n'],
  ['a POST', 'POST', 'Content-Length: 2\r\n'],
  ['a chunked POST', 'POST', 'Transfer-Encoding: chunked\r\n'],
  ['a key that is none', 'GET', 'Authorization: Bearer rlk_not-a-key\r\n'],
  ['other credentials', 'GET', 'Authorization: Basic eDp5\r\n'],
  ['two Authorization fields', 'GET', 'Authorization: Basic eDp5\r\nAuthorization: Basic eDp5\r\n'],
  ['a token that is none', 'GET', `Cookie: runlet_token=${token}\r\n`],
  ['a WebSocket', 'GET', upgrade],
  ['a WebSocket with a key that is none', 'GET', `${upgrade}Authorization: Bearer rlk_not-a-key\r\n`],
  ['another upgrade', 'GET', 'Connection: Upgrade\r\nUpgrade: something\r\n'],
  ['a page', 'GET', 'Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n'],
  ['Expect', 'POST', 'Expect: 100-continue\r\nContent-Length: 2\r\n'],
];

/** But for the date, by Node's server, and the name or id that was asked for, in the sentence that repeats it. */
const alike = (text: string) =>
  text
    .replace(/^(?:Date|Content-Length): .*\r\n/gim, '')
    .replace(/<pre>runlet open [^<]*/, '<pre>runlet open NAME')
    .replace(/There is no service .* of yours here/, 'There is no service NAME of yours here');

async function answers(method: string, targets: { host: string; path: string }[], fields: string) {
  const body = fields.includes('chunked') ? '0\r\n\r\n' : fields.includes('Length: 2') ? 'hi' : '';
  const all = await Promise.all(
    targets.map(async ({ host, path }) => {
      const { text, ended } = await speak(
        on.port,
        `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n${body}`,
        method === 'HEAD' ? /\r\n\r\n$/ : /(?:\}|<\/html>\n?)$/,
        10_000,
      );
      return JSON.stringify({ text: alike(text), ended });
    }),
  );
  return new Set(all);
}

describe('to a stranger all private names are alike', () => {
  test.each(requests)('with %s', async (_, method, fields) => {
    const byName = hosts().map((host) => ({ host, path: '/x' }));
    const withToken = hosts().map((host) => ({ host, path: `/x?runlet_token=${token}` }));
    const byPath = paths().map((path) => ({ host: 'localhost', path }));
    for (const targets of [byName, withToken, byPath]) {
      const all = await answers(method, targets, fields);
      expect([...all]).toEqual([[...all][0]]);
      expect([...all][0]).toMatch(/HTTP\/1\.1 40[01] /);
    }
  });
});

test('with a key of another tenant, there is none of them', async () => {
  for (const key of [theirs, mine]) {
    const fields = `Authorization: Bearer ${key}\r\n`;
    const others = key === theirs ? Object.values(known) : [];
    const byName = [...others.map(({ name }) => `${name}.localhost`), 'nobody.localhost', 'a.b.c.localhost'];
    const byPath = [...others.map(({ id }) => `/s/${id}/`), `/s/${newId('svc')}/`, '/s/web/'];
    for (const targets of [
      byName.map((host) => ({ host, path: '/' })),
      byPath.map((path) => ({ host: 'localhost', path })),
    ]) {
      for (const more of [fields, fields + upgrade]) {
        const all = [...(await answers('GET', targets, more))];
        expect(all).toHaveLength(1);
        expect(all[0]).toContain('HTTP/1.1 404 ');
        for (const { name } of Object.values(known)) expect(all[0]).not.toContain(name);
      }
    }
  }
});
