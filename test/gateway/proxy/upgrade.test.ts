import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { signService } from '../../../services/gateway/services/signed-url.ts';
import { until } from '../support.ts';
import { type Container, call, type Proxied, raw, startContainer, startProxied } from './support.ts';

let on: Proxied;
let container: Container;
let key: string;
let sockets: WebSocketServer;
let asked: IncomingMessage;
/** What becomes of a request to switch; WebSockets unless a test wants something else. */
let switches: ((incoming: IncomingMessage, socket: Socket, head: Buffer) => void) | undefined;

beforeAll(async () => {
  container = await startContainer((incoming, outgoing) => outgoing.end(`plain ${incoming.url}`));
  sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => [...offered][0] ?? false });
  container.server.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    asked = incoming;
    if (switches !== undefined) switches(incoming, socket, head);
    else
      sockets.handleUpgrade(incoming, socket, head, (client) => {
        client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
        client.on('ping', () => client.send('was pinged'));
      });
  });
  on = await startProxied();
  key = await on.apiKey();
});
afterAll(async () => {
  for (const client of sockets.clients) client.terminate();
  await on.stop();
  await container.stop();
});

function open(
  host: string,
  options: { path?: string; headers?: Record<string, string>; protocols?: string[] } = {},
) {
  const { path = '/', headers = {}, protocols = [] } = options;
  const client = new WebSocket(`ws://127.0.0.1:${on.port}${path}`, protocols, {
    headers: { host, ...headers },
  });
  const refused = new Promise<{ status: number; headers: IncomingMessage['headers']; body: string }>(
    (resolve) =>
      client.on('unexpected-response', (_request, incoming) => {
        let body = '';
        incoming.on('data', (chunk) => {
          body += chunk;
        });
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
        );
      }),
  );
  client.on('error', () => {});
  return { client, refused, opened: once(client, 'open') };
}

const said = async (client: WebSocket): Promise<string> => String((await once(client, 'message'))[0]);

test('a WebSocket, by name and by path: text, binary, large, ping and pong, close', async () => {
  const service = await on.service({ at: container.port });
  for (const [host, path] of [
    [service.host, '/a?b=c'],
    ['localhost', `/s/${service.id}/a?b=c`],
  ] as const) {
    const { client, opened } = open(host, { path });
    await opened;
    expect(asked.url).toBe('/a?b=c');
    expect(asked.headers['x-forwarded-for']).toBe('127.0.0.1');
    client.send('hello ✓');
    expect(await said(client)).toBe('hello ✓');
    const large = Buffer.alloc(3 * 2 ** 20, 7);
    client.send(large);
    const [back, binary] = await once(client, 'message');
    expect([binary, large.equals(back)]).toEqual([true, true]);
    client.ping();
    await Promise.all([once(client, 'pong'), said(client)]);
    client.close(4001, 'enough');
    const [code, reason] = await once(client, 'close');
    expect([code, String(reason)]).toEqual([4001, 'enough']);
  }
  await until(async () => container.sockets.size === 0);
});

test('subprotocols are agreed on by both ends; a key for the API among them stays here', async () => {
  const { host } = await on.service({ at: container.port });
  const protocols = ['chat', `runlet.bearer.${Buffer.from(key).toString('base64url')}`];
  const { client, opened } = open(host, { protocols });
  await opened;
  expect(client.protocol).toBe('chat');
  expect(asked.headers['sec-websocket-protocol']).toBe('chat');
  client.terminate();
});

test('access is as for any request, and credentials stay here', async () => {
  const service = await on.service({ at: container.port, request: { public: false } });
  const strangers = await open(service.host).refused;
  expect(strangers).toMatchObject({ status: 401, headers: { 'content-type': 'application/problem+json' } });
  expect(JSON.parse(strangers.body).code).toBe('unauthorized');
  const others = { authorization: `Bearer ${await on.apiKey('acme')}` };
  expect((await open(service.host, { headers: others }).refused).status).toBe(404);
  expect((await open('nobody.localhost').refused).status).toBe(401);
  const token = signService(on.gateway.env.RUNLET_SECRET_KEY, service.id, Date.now() + 60_000);
  const cookie = `a=1; runlet_token=${token}`;
  for (const options of [
    { headers: { authorization: `Bearer ${key}` } },
    { path: `/?runlet_token=${token}` },
    { headers: { cookie, origin: `http://${service.host}` } },
  ]) {
    const { client, opened } = open(service.host, options);
    await opened;
    expect(JSON.stringify([asked.url, asked.headers])).not.toMatch(/runlet_token|rlk_/);
    client.terminate();
  }
  // Another origin's page would have the browser's cookie sent along (RFC 6455 §10.2).
  const foreign = open(service.host, { headers: { cookie, origin: 'http://evil.localhost' } });
  expect((await foreign.refused).status).toBe(401);
});

test('a refusal of the container’s goes on as it is', async () => {
  switches = (_incoming, socket) =>
    socket.end(
      'HTTP/1.1 403 No Thanks\r\nX-Why: closed\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nnot so\r\n0\r\n\r\n',
    );
  const { host } = await on.service({ at: container.port });
  expect(await open(host).refused).toMatchObject({
    status: 403,
    body: 'not so',
    headers: { 'x-why': 'closed' },
  });
  switches = (_incoming, socket) => socket.destroy();
  expect(await open(host).refused).toMatchObject({ status: 502 });
  switches = undefined;
});

test('a service that is asleep is woken, and the handshake waits', async () => {
  const service = await on.service({ at: container.port });
  await on.gateway.services.goIdle(service.holder, Date.now() + 1_000, 'idle');
  await service.report('idle', { place: null });
  const { client, opened } = open(service.host);
  await until(async () => (await on.gateway.services.read(service.id))?.wanted === 'running');
  await service.report('ready');
  await opened;
  client.send('awake');
  expect(await said(client)).toBe('awake');
  client.terminate();
});

test('a client that leaves while it waits is forgotten', async () => {
  const service = await on.service({ at: container.port, status: 'starting', place: null });
  const { client, opened } = open(service.host);
  opened.catch(() => {});
  await until(async () => on.sockets.size > 0);
  await sleep(100);
  client.terminate();
  await until(async () => on.sockets.size === 0);
});

test('an open WebSocket that says nothing stays, and keeps its service alive', async () => {
  const service = await on.service({ at: container.port });
  const { client, opened } = open(service.host);
  await opened;
  const before = (await on.gateway.services.read(service.id))?.lastUsedAt ?? 0;
  await sleep(3_000);
  expect(((await on.gateway.services.read(service.id))?.lastUsedAt ?? 0) - before).toBeGreaterThan(1_500);
  client.send('still here');
  expect(await said(client)).toBe('still here');
  client.terminate();
});

test('when the container goes, the client’s socket ends; when the client goes, the container’s', async () => {
  const { host } = await on.service({ at: container.port });
  const first = open(host);
  await first.opened;
  const closed = once(first.client, 'close');
  for (const one of sockets.clients) one.terminate();
  await closed;
  const second = open(host);
  await second.opened;
  second.client.terminate();
  await until(async () => container.sockets.size === 0);
});

describe('any other protocol', () => {
  test('is passed both ways, from the first byte, and half of it may end before the other', async () => {
    switches = (incoming, socket, head) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade}\r\n\r\nready>${head}`,
      );
      socket.on('data', (data) => socket.write(String(data).toUpperCase()));
      socket.on('end', () => socket.end('bye'));
    };
    const { host } = await on.service({ at: container.port });
    const socket = connect({ port: on.port, host: '127.0.0.1', allowHalfOpen: true });
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: shout/1\r\n\r\nearly`);
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    await until(async () => /EARLY|early/.test(text));
    expect(text).toMatch(/^HTTP\/1\.1 101 .*\r\nUpgrade: shout\/1\r\n.*ready>/s);
    socket.write('hello');
    await until(async () => text.includes('HELLO'));
    socket.end();
    await once(socket, 'end');
    expect(text).toMatch(/bye$/);
    switches = undefined;
  });

  test('h2c is not taken up: the request is answered as it is', async () => {
    const { host } = await on.service({ at: container.port });
    const text = await raw(
      on.port,
      `GET /x HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 .*plain \/x/s);
  });

  test('nor is one with a body: it goes on as a request', async () => {
    const { host } = await on.service({ at: container.port });
    const headers = { connection: 'upgrade', upgrade: 'shout/1' };
    const answer = await call(on.port, host, '/y', { method: 'POST', headers, body: 'body' });
    expect(answer).toMatchObject({ status: 200, body: 'plain /y' });
  });
});

test('the API’s own WebSockets are as they were', async () => {
  expect((await open('localhost', { path: '/v1/runs/run_0/attach' }).refused).status).toBe(401);
});
