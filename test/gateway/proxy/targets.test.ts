import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../../shared/ids.ts';
import {
  type Container,
  call,
  type Proxied,
  problemIn,
  raw,
  startContainer,
  startProxied,
  ways,
} from './support.ts';

let on: Proxied;
let container: Container;
beforeAll(async () => {
  container = await startContainer((incoming, outgoing) =>
    outgoing.end(`${incoming.method} ${incoming.url} ${incoming.headers.host}`),
  );
  on = await startProxied();
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

describe.each(ways)('by the %s', (_, way) => {
  const get = (host: string, path = '/') => call(on.port, host, path, { headers: way });

  test('a name leads to the service of the tenant `default`, whatever the port and the case', async () => {
    const { name } = await on.service({ at: container.port });
    for (const host of [
      `${name}.localhost`,
      `${name}.localhost:1`,
      `${name.toUpperCase()}.LocalHost:${on.port}`,
    ])
      expect(await get(host, '/a?b=c')).toMatchObject({ status: 200, body: `GET /a?b=c ${host}` });
    expect((await get(`${name}.localhost.`)).status).toBe(200);
    expect((await get(`${name}.default.localhost`)).status).toBe(200);
  });

  test('the same name is another service in another tenant', async () => {
    const other = await startContainer((_, outgoing) => outgoing.end('other'));
    const { name } = await on.service({ at: container.port });
    const acme = await on.service({ name, tenant: 'acme', at: other.port });
    expect((await get(`${name}.localhost`)).body).toContain('GET /');
    expect((await get(acme.host)).body).toBe('other');
    expect(problemIn(await get(`${name}.nobody.localhost`))).toMatchObject({
      status: 401,
      code: 'unauthorized',
    });
    await other.stop();
  });

  test.each(['nobody.localhost', 'a.b.c.localhost', '-a.localhost', 'a_b.localhost', 'a..localhost'])(
    '%s is nobody’s: 404 with a key, 401 without',
    async (host) => {
      expect(problemIn(await get(host))).toMatchObject({ status: 401, code: 'unauthorized' });
      const withKey = await call(on.port, host, '/', {
        headers: { ...way, authorization: `Bearer ${await on.apiKey()}` },
      });
      expect(problemIn(withKey)).toMatchObject({ status: 404, code: 'not_found' });
    },
  );

  test.each(['localhost', 'localhost:8080', '127.0.0.1', '[::1]', 'example.com', 'xlocalhost'])(
    '%s is the API',
    async (host) => {
      expect((await get(host, '/healthz')).status).toBe(200);
      expect(problemIn(await get(host, '/v1/runs')).code).toBe('unauthorized');
    },
  );

  test('a path leads to the service with that id; what is behind the id goes on', async () => {
    const { id, name } = await on.service({ at: container.port });
    const host = `${name}.localhost:8080`;
    expect((await get('localhost', `/s/${id}/`)).body).toBe(`GET / ${host}`);
    expect((await get('localhost', `/s/${id}/a//b/?c=%2F`)).body).toBe(`GET /a//b/?c=%2F ${host}`);
    expect(problemIn(await get('localhost', `/s/${newId('svc')}/`)).status).toBe(401);
    expect(problemIn(await get('localhost', '/s/web/')).status).toBe(401);
  });

  test('without the slash behind the id the client is sent there', async () => {
    const { id } = await on.service({ at: container.port });
    const bare = await get('localhost', `/s/${id}`);
    expect([bare.status, bare.headers.location]).toEqual([308, `/s/${id}/`]);
    expect((await get('localhost', `/s/${id}?a=b`)).headers.location).toBe(`/s/${id}/?a=b`);
  });
});

test('at the name of a service, /s/ is its own path', async () => {
  const { host } = await on.service({ at: container.port });
  expect((await call(on.port, host, '/s/x/')).body).toContain('GET /s/x/ ');
});

test('a target in absolute form names the host, whatever Host says', async () => {
  const { name } = await on.service({ at: container.port });
  const answer = await raw(
    on.port,
    `GET http://${name}.localhost/x?y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toContain(`GET /x?y ${name}.localhost`);
  const api = await raw(
    on.port,
    `GET http://localhost/healthz HTTP/1.1\r\nHost: ${name}.localhost\r\nConnection: close\r\n\r\n`,
  );
  expect(api).toMatch(/^HTTP\/1\.1 200 /);
  expect(api).not.toContain('GET /healthz');
});

test('OPTIONS * goes to the service', async () => {
  const { name } = await on.service({ at: container.port });
  const answer = await raw(
    on.port,
    `OPTIONS * HTTP/1.1\r\nHost: ${name}.localhost\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toContain(`OPTIONS * ${name}.localhost`);
});

test('two Host fields are refused, however they are sent', async () => {
  const { name } = await on.service({ at: container.port });
  const answer = await raw(
    on.port,
    `GET / HTTP/1.1\r\nHost: ${name}.localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
});

test('one connection may carry requests for services and for the API in any order', async () => {
  const { host } = await on.service({ at: container.port });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  const get = (to: string, path: string) =>
    new Promise<string>((resolve, reject) => {
      request({ port: on.port, host: '127.0.0.1', path, headers: { host: to }, agent }, (incoming) => {
        ports.add(incoming.socket.localPort);
        let body = '';
        incoming.on('data', (chunk) => {
          body += chunk;
        });
        incoming.on('end', () => resolve(`${incoming.statusCode} ${body}`));
      })
        .on('error', reject)
        .end();
    });
  for (let i = 0; i < 3; i += 1) {
    expect(await get(host, `/${i}`)).toBe(`200 GET /${i} ${host}`);
    if (i > 0) expect(await get('localhost', '/healthz')).toMatch(/^200 /);
  }
  expect(ports.size).toBe(1);
  agent.destroy();
});

test('requests that are sent before the answers come are answered in their order', async () => {
  const { host } = await on.service({ at: container.port });
  const one = (path: string) => `GET /${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  const api = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';
  const last = `GET /last HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  const text = await raw(on.port, one('1') + one('2') + one('3') + api + one('4') + last);
  const found = [...text.matchAll(/GET \/(\w+) /g)].map(([, path]) => path);
  expect(found).toEqual(['1', '2', '3', '4', 'last']);
  expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(6);
});
