import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Container,
  call,
  type Proxied,
  startContainer,
  startProxied,
} from '../gateway/proxy/support.ts';

// A signed URL is a credential: whatever path it is asked for, it leads to the service's own host.

let on: Proxied;
let container: Container;
let key: string;
let service: Awaited<ReturnType<Proxied['service']>>;
beforeAll(async () => {
  container = await startContainer((incoming, outgoing) => outgoing.end(incoming.url));
  on = await startProxied();
  key = await on.apiKey();
  service = await on.service({ at: container.port, request: { public: false } });
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

const sign = (path: unknown) =>
  fetch(`${on.url}/v1/services/${service.id}/url`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ path }),
  });

const evil = 'evil.example';
const paths = [
  `//${evil}/x`,
  `///${evil}/x`,
  `/\\${evil}/x`,
  `/\\/${evil}`,
  `\\\\${evil}`,
  `\\/${evil}`,
  `/\t/${evil}/x`,
  `/\n/${evil}`,
  `/\r\n//${evil}`,
  `\t//${evil}`,
  ` //${evil}`,
  `/\0/${evil}`,
  `/\x7f/${evil}`,
  `/%2f/${evil}`,
  `/%2f%2f${evil}`,
  `/%5c${evil}`,
  `/..//${evil}`,
  `/.//${evil}`,
  `/a/../..//${evil}`,
  `/%2e%2e//${evil}`,
  `http://${evil}/`,
  `https:${evil}`,
  `javascript:alert(1)`,
  `@${evil}/`,
  `/@${evil}/`,
  `:80@${evil}/`,
  `.${evil}/`,
  `:1@${evil}`,
  `?x=//${evil}`,
  `/?runlet_token=x&a=//${evil}`,
  `/?runlet%5Ftoken=x`,
  `/#//${evil}`,
  `/é／／${evil}`,
  `/\u2028//${evil}`,
  `/\u202e//${evil}`,
  `/${'a'.repeat(2047)}`,
  `//${'a'.repeat(1000)}.${evil}`,
];

describe('every path', () => {
  test.each(paths)('%j', async (path) => {
    const answer = await sign(path);
    const body = (await answer.json()) as { url: string; code: string; errors: { path: string }[] };
    if (answer.status === 400) {
      expect(body).toMatchObject({ code: 'validation_failed', errors: [{ path: 'path' }] });
      return;
    }
    expect(answer.status).toBe(201);
    expect(body.url).toMatch(/^[\x21-\x5b\x5d-\x7e]+$/);
    const url = new URL(body.url);
    expect(url.origin).toBe(`http://${service.name}.localhost:8080`);
    expect(url.username + url.password).toBe('');
    expect(url.searchParams.getAll('runlet_token')).toHaveLength(1);
    // A browser is led from there to the same host, and to where the path leads and no other.
    for (const [host, target] of [
      [service.host, url.pathname + url.search],
      ['localhost', `/s/${service.id}${url.pathname}${url.search}`],
    ] as const) {
      const followed = await call(on.port, host, target, { headers: { 'sec-fetch-mode': 'navigate' } });
      expect(followed.status).toBe(303);
      const to = new URL(followed.headers.location ?? '', `http://${host}/`);
      expect(to.host).toBe(host.replace(/:80$/, ''));
      expect(followed.headers.location).toMatch(/^\/(?![/\\])/);
    }
  });
});

test.each(['/a?b=c%20d&e=%2F~&f&g=+', '/a/b;c=d?x', '/', '/a?', '/%E2%9C%93?q=%E2%9C%93'])(
  'the query of %s is as it was asked for',
  async (path) => {
    const { url } = (await (await sign(path)).json()) as { url: string };
    const { pathname, search } = new URL(url);
    const { body } = await call(on.port, service.host, pathname + search);
    expect(body).toBe(path.replace(/\?$/, ''));
  },
);
