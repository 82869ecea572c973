import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { ApiKey } from '../../shared/contracts/key.ts';
import { digestOf } from '../../shared/secrets.ts';
import { type Container, call, startContainer } from '../gateway/proxy/support.ts';
import { ask, bearer, readToEnd, startTwoGateways, timed } from './support/keys.ts';

/** What the contract gives to what is open in the name of a key that was taken back. */
const openMs = 10_000;

let on: Awaited<ReturnType<typeof startTwoGateways>>;
let container: Container;
beforeAll(async () => {
  on = await startTwoGateways();
  container = await startContainer((incoming, outgoing) => {
    if (incoming.url === '/slow') outgoing.write('begun\n');
    else outgoing.end(`hello ${incoming.url}`);
  });
  container.server.on('upgrade', (incoming, socket) => {
    const accept = createHash('sha1')
      .update(`${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    socket.on('error', () => {});
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  });
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

describe('a key that was taken back', () => {
  test('is refused on every gateway by the time that this is answered, however often it was used', async () => {
    for (let round = 0; round < 10; round += 1) {
      const made = await on.make();
      // Both remember it, and go on being asked.
      let asking = true;
      const late: number[] = [];
      let answeredAt = Number.POSITIVE_INFINITY;
      const hammer = [on.one, on.two].map(async (gateway) => {
        while (asking) {
          const began = performance.now();
          const { status } = await ask(gateway, made.key, '/v1/languages');
          if (status !== 401 && began > answeredAt) late.push(status);
        }
      });
      await sleep(50);
      expect((await on.revoke(made.id)).status).toBe(204);
      answeredAt = performance.now();
      for (const gateway of [on.one, on.two])
        expect((await ask(gateway, made.key, '/v1/runs')).status).toBe(401);
      asking = false;
      await Promise.all(hammer);
      expect(late).toEqual([]);
    }
  });

  test('is refused by a gateway that does not hear of it: the answer waits until that trusts nothing', async () => {
    const made = await on.make();
    expect((await ask(on.two, made.key, '/v1/runs')).status).toBe(200);
    const silence = () => on.one.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    // Long enough for it to be back each time, and never when anything is said.
    const silenced = setInterval(() => void silence(), 10);
    await silence();
    const { ms, value } = await timed(on.revoke(made.id));
    expect(value.status).toBe(204);
    expect(ms).toBeLessThan(4_000);
    for (const gateway of [on.two, on.one])
      expect((await ask(gateway, made.key, '/v1/runs')).status).toBe(401);
    clearInterval(silenced);
    // It goes on by itself.
    expect((await ask(on.two, (await on.make()).key, '/v1/runs')).status).toBe(200);
  });

  test('ends what it has open: events, logs of all, attached clients, who waits', async () => {
    const made = await on.make();
    const { run, worker, holder } = await on.startRun({ interactive: true });
    const { one, two } = on;
    const streams = await Promise.all([
      ask(one, made.key, `/v1/runs/${run.id}/events`),
      ask(two, made.key, `/v1/runs/${run.id}/events`),
      ask(two, made.key, '/v1/events'),
    ]);
    const texts = streams.map((stream) => stream.text());
    const sockets = [one, two].map(
      (gateway) =>
        new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/runs/${run.id}/attach`, {
          headers: bearer(made.key),
        }),
    );
    const closes = sockets.map(
      (socket) =>
        new Promise<[number, string]>((resolve) => {
          socket.on('close', (code, reason) => resolve([code, reason.toString()]));
        }),
    );
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('open', resolve))));
    const waits = [one, two].map((gateway) =>
      ask(gateway, made.key, '/v1/runs', {
        method: 'POST',
        body: JSON.stringify({ image: 'hello-world' }),
        headers: { prefer: 'wait=60' },
      }),
    );
    await sleep(300);
    await on.revoke(made.id);
    const { ms } = await timed(Promise.all([...texts, ...closes, ...waits]));
    expect(ms).toBeLessThan(openMs);
    for (const text of texts) expect(await text).toContain(': the API key was taken back');
    for (const close of closes)
      expect(await close).toEqual([4401, 'the API key was taken back, or has expired']);
    for (const wait of waits) expect((await wait).status).toBe(401);
    await on.unwatch();
    await worker.finish(holder);
  });

  test('an attached client that ignores the close says nothing more to the program, and is cut off', async () => {
    const made = await on.make();
    const { run, worker, holder } = await on.startRun({ interactive: true });
    const socket = connect(on.two.port, '127.0.0.1');
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => {});
    socket.write(
      `GET /v1/runs/${run.id}/attach HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${made.key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    );
    await new Promise((resolve) => socket.once('data', resolve));
    await on.revoke(made.id);
    const input = Buffer.from('{"type":"stdin","data":"late"}');
    const frame = Buffer.concat([Buffer.from([0x81, 0x80 | input.length, 0, 0, 0, 0]), input]);
    const talking = setInterval(() => socket.write(frame), 50);
    const { ms } = await timed(gone);
    clearInterval(talking);
    expect(ms).toBeLessThan(openMs);
    expect(await on.one.redis.xlen(on.one.keys.attach(run.id))).toBe(0);
    await worker.finish(holder);
  });

  test('a client that reads nothing loses its connection too', async () => {
    const made = await on.make();
    const { run, worker, holder } = await on.startRun();
    for (let i = 0; i < 12; i += 1) await worker.out(holder, ...Array(16).fill('x'.repeat(60_000)));
    const socket = connect(on.two.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(
      `GET /v1/runs/${run.id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${made.key}\r\n\r\n`,
    );
    const accepted = () => [...on.two.sockets].find(({ remotePort }) => remotePort === socket.localPort);
    // It is being answered, and no more of the answer fits.
    await expect.poll(() => accepted()?.writableNeedDrain).toBe(true);
    await on.revoke(made.id);
    await expect.poll(accepted, { timeout: openMs }).toBe(undefined);
    socket.destroy();
    await worker.finish(holder);
  });

  test('a body that is still coming makes nothing', async () => {
    const made = await on.make();
    const { port } = on.two;
    const body = JSON.stringify({ name: 'backdoor', role: 'admin' });
    const outgoing = request({
      ...{ host: '127.0.0.1', port, path: '/v1/keys', method: 'POST', agent: false },
      headers: { ...bearer(made.key), 'content-type': 'application/json', 'content-length': body.length },
    });
    outgoing.on('error', () => {});
    const status = new Promise<number | undefined>((resolve) => {
      outgoing.on('response', ({ statusCode }) => resolve(statusCode));
      outgoing.on('close', () => resolve(undefined));
    });
    outgoing.write(body.slice(0, 10));
    await sleep(200);
    await on.revoke(made.id);
    outgoing.end(body.slice(10));
    expect(await status).not.toBe(201);
    await sleep(200);
    const { data } = (await (await on.one.call('GET', '/v1/keys?limit=100')).json()) as { data: ApiKey[] };
    expect(data.map(({ name }) => name)).not.toContain('backdoor');
  });

  test('ends its connections to services, and the URLs that it has signed', async () => {
    const made = await on.make();
    const other = await on.make();
    const service = await on.one.service({ at: container.port, request: { public: false } });
    const { port } = on.two;
    const host = service.host;
    const open = await fetch(`http://127.0.0.1:${port}/s/${service.id}/slow`, { headers: bearer(made.key) });
    const reading = readToEnd(open);
    const tunnel = new WebSocket(`ws://127.0.0.1:${port}/s/${service.id}/ws`, { headers: bearer(made.key) });
    const tunnelEnded = new Promise<void>((resolve) => {
      tunnel.on('close', () => resolve());
      tunnel.on('error', () => {});
    });
    await new Promise((resolve) => tunnel.once('open', resolve));
    const sign = async (key: string) => {
      const answer = await ask(on.one, key, `/v1/services/${service.id}/url`, { method: 'POST', body: '{}' });
      return new URL(((await answer.json()) as { url: string }).url).search;
    };
    const signed = await sign(made.key);
    const signedByOther = await sign(other.key);
    const cookie = { cookie: signed.slice(1) };
    expect((await call(port, host, `/a${signed}`)).status).toBe(200);
    expect((await call(port, host, '/b', { headers: cookie })).status).toBe(200);
    const throughUrl = await fetch(`http://127.0.0.1:${port}/s/${service.id}/slow${signed}`);
    const readingThrough = readToEnd(throughUrl);

    await on.revoke(made.id);
    const { ms } = await timed(Promise.all([reading, readingThrough, tunnelEnded]));
    expect(ms).toBeLessThan(openMs);
    expect(await reading).toBe('broken off');
    expect(await readingThrough).toBe('broken off');
    expect((await call(port, host, '/', { headers: bearer(made.key) })).status).toBe(401);
    expect((await call(port, host, `/a${signed}`)).status).toBe(401);
    expect((await call(port, host, '/b', { headers: cookie })).status).toBe(401);
    // The others go on; and which key has made it cannot be changed.
    expect((await call(port, host, `/a${signedByOther}`)).status).toBe(200);
    const forged = signed.replace(made.id, other.id);
    expect(forged).not.toBe(signed);
    expect((await call(port, host, `/a${forged}`)).status).toBe(401);
  });

  test('a key that expires ends what it has open as well', async () => {
    const made = await on.make({ expiresAt: new Date(Date.now() + 2_000).toISOString() });
    const events = await ask(on.two, made.key, '/v1/events');
    const { ms } = await timed(events.text());
    expect(ms).toBeLessThan(2_000 + openMs);
    await on.unwatch();
    expect((await ask(on.two, made.key, '/v1/runs')).status).toBe(401);
  });
});

describe('the last admin key', () => {
  test('stays, however many are taken back at once, on whichever gateway', async () => {
    for (let round = 0; round < 5; round += 1) {
      const tenant = `last${round}`;
      const calls = [await on.one.caller(tenant), await on.two.caller(tenant)] as const;
      const { data } = (await (await calls[0]('GET', '/v1/keys')).json()) as { data: ApiKey[] };
      expect(data.length).toBe(2);
      const answers = await Promise.all(
        data.map(({ id }, i) => (i === 0 ? calls[0] : calls[1])('DELETE', `/v1/keys/${id}`)),
      );
      const statuses = answers.map(({ status }) => status);
      // One may find its own key gone before it asks.
      expect(statuses.filter((status) => status === 204).length).toBe(1);
      const left = Object.values(await on.one.redis.hgetall(on.one.keys.apiKeys)).filter((record) =>
        record.includes(`"${tenant}"`),
      );
      expect(left.length).toBe(1);
    }
  });
});

describe('what a key is known by', () => {
  test('the digest of a key opens nothing, nor does its id', async () => {
    const made = await on.make();
    for (const form of [digestOf(made.key), made.id, `${made.key}x`, made.key.slice(0, -1)])
      expect((await ask(on.one, form, '/v1/runs')).status).toBe(401);
  });
});
