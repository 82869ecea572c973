import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support.ts';
import {
  type Container,
  call,
  type Handler,
  type Proxied,
  problemIn,
  raw,
  startContainer,
  startProxied,
  ways,
} from './support.ts';

const MiB = 2 ** 20;
let on: Proxied;
let container: Container;
let handler: Handler;
beforeAll(async () => {
  container = await startContainer((incoming, outgoing) => handler(incoming, outgoing));
  on = await startProxied({ RUNLET_SERVICE_TIMEOUT_MS: '700' });
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

const block = randomBytes(MiB);
const hundred = createHash('sha256');
for (let i = 0; i < 100; i += 1) hundred.update(block);
const digest = hundred.digest('hex');

/** Writes a hundred blocks no faster than they are taken. */
async function pour(into: NodeJS.WritableStream): Promise<void> {
  for (let i = 0; i < 100; i += 1) if (!into.write(block)) await once(into, 'drain');
  into.end();
}

async function digestOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

function open(
  host: string,
  options: { method?: string; headers?: Record<string, string | number>; path?: string } = {},
) {
  const outgoing = request({
    ...{ host: '127.0.0.1', port: on.port, agent: false, ...options },
    headers: { host, ...options.headers },
  });
  outgoing.on('error', () => {});
  const answered = once(outgoing, 'response').then(([incoming]) => incoming as IncomingMessage);
  answered.catch(() => {});
  return { outgoing, answered };
}

describe.each(ways)('by the %s', (_, way) => {
  test('100 MB come down whole', async () => {
    handler = (_incoming, outgoing) => {
      outgoing.writeHead(200, { 'content-length': 100 * MiB });
      pour(outgoing).catch(() => {});
    };
    const { host } = await on.service({ at: container.port });
    const { outgoing, answered } = open(host, { headers: way });
    outgoing.end();
    expect(await digestOf(await answered)).toBe(digest);
  });

  test.each([
    ['of a known length', { 'content-length': 100 * MiB }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('100 MB go up whole, %s', async (_name, framing) => {
    handler = (incoming, outgoing) =>
      void digestOf(incoming).then((found) => outgoing.end(`${found} ${incoming.headers['content-length']}`));
    const { host } = await on.service({ at: container.port });
    const { outgoing, answered } = open(host, { method: 'POST', headers: { ...way, ...framing } });
    await pour(outgoing);
    const [answer] = await (await answered).toArray();
    const length = 'content-length' in framing ? 100 * MiB : undefined;
    expect(String(answer)).toBe(`${digest} ${length}`);
  });

  test('a client that does not read stops the container, not the gateway', async () => {
    let written = 0;
    handler = (_incoming, outgoing) => {
      outgoing.on('error', () => {});
      const more = () => {
        while (written < 200 && outgoing.write(block)) written += 1;
      };
      outgoing.on('drain', more);
      more();
    };
    const { host } = await on.service({ at: container.port });
    const { outgoing, answered } = open(host, { headers: way });
    outgoing.end();
    const incoming = await answered;
    incoming.pause();
    // It has come to rest when nothing more is taken.
    let last = -1;
    await until(async () => {
      const rests = written === last;
      last = written;
      await sleep(300);
      return rests;
    });
    expect(written).toBeLessThan(60);
    incoming.destroy();
    await until(async () => container.sockets.size === 0);
  });

  test('a container that does not read stops the client', async () => {
    let taken: IncomingMessage | undefined;
    handler = (incoming) => {
      taken = incoming;
    };
    const { host } = await on.service({ at: container.port });
    const { outgoing } = open(host, { method: 'POST', headers: { ...way, 'content-length': 500 * MiB } });
    let sent = 0;
    const more = () => {
      while (sent < 500 && outgoing.write(block)) sent += 1;
    };
    outgoing.on('drain', more);
    more();
    let last = -1;
    await until(async () => {
      const rests = sent === last && taken !== undefined;
      last = sent;
      await sleep(200);
      return rests;
    });
    expect(sent).toBeLessThan(60);
    outgoing.destroy();
    // Only who reads sees the end.
    taken?.resume();
    await until(async () => container.sockets.size === 0);
  });

  test('server-sent events arrive one by one, as they are sent', async () => {
    let answer: ServerResponse | undefined;
    handler = (_incoming, outgoing) => {
      answer = outgoing;
      outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
      outgoing.flushHeaders();
    };
    const { host } = await on.service({ at: container.port });
    const { outgoing, answered } = open(host, { headers: way });
    outgoing.end();
    const incoming = await answered;
    for (let i = 0; i < 5; i += 1) {
      answer?.write(`data: ${i}\n\n`);
      const [chunk] = (await once(incoming, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(`data: ${i}\n\n`);
    }
    // The time limit is for the answer's beginning, not for what streams.
    await sleep(1_000);
    answer?.write('data: late\n\n');
    const [late] = (await once(incoming, 'data')) as [Buffer];
    expect(late.toString()).toBe('data: late\n\n');
    answer?.end();
    await once(incoming, 'end');
  });

  test('both ways at once: what goes up comes back while it goes up', async () => {
    handler = (incoming, outgoing) => incoming.pipe(outgoing);
    const { host } = await on.service({ at: container.port });
    const { outgoing, answered } = open(host, { method: 'POST', headers: { ...way, 'content-length': 15 } });
    outgoing.write('one, ');
    const incoming = await answered;
    expect(String((await once(incoming, 'data'))[0])).toBe('one, ');
    outgoing.write('two, ');
    expect(String((await once(incoming, 'data'))[0])).toBe('two, ');
    outgoing.end('three');
    expect(String(await (await incoming.toArray()).join(''))).toBe('three');
  });

  test('a container that dies in the middle leaves no whole answer behind', async () => {
    const { host } = await on.service({ at: container.port });
    for (const fields of [{ 'content-length': '100' }, {}]) {
      handler = (_incoming, outgoing) => {
        outgoing.writeHead(200, fields);
        outgoing.write('some');
        setTimeout(() => outgoing.destroy(), 50);
      };
      await expect(call(on.port, host, '/', { headers: way })).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    }
  });

  test('a client that goes ends the request at the container', async () => {
    const asked = new Promise<IncomingMessage>((resolve) => {
      handler = resolve;
    });
    const { host } = await on.service({ at: container.port });
    const { outgoing } = open(host, { headers: way });
    outgoing.end();
    const { socket } = await asked;
    outgoing.destroy();
    await once(socket, 'close');
  });

  test('no answer in time is a 504; a body that moves is no silence', async () => {
    handler = (incoming) => void incoming.resume();
    const { host, name } = await on.service({ at: container.port });
    const silent = problemIn(await call(on.port, host, '/', { headers: way }));
    expect(silent).toMatchObject({ status: 504, code: 'service_timeout' });
    expect(silent.detail).toContain(name);
    handler = (incoming, outgoing) => incoming.resume().on('end', () => outgoing.end('got it'));
    const { outgoing, answered } = open(host, { method: 'POST', headers: { ...way, 'content-length': 5 } });
    for (const byte of '12345') {
      outgoing.write(byte);
      await sleep(300);
    }
    outgoing.end();
    expect(String(await (await answered).toArray())).toBe('got it');
  });

  test('an answer before the whole request arrives, and the rest is nobody’s', async () => {
    handler = (_incoming, outgoing) => outgoing.writeHead(413, { connection: 'close' }).end('too much');
    const { host } = await on.service({ at: container.port });
    const { outgoing, answered } = open(host, {
      method: 'POST',
      headers: { ...way, 'content-length': 50 * MiB },
    });
    outgoing.write(block);
    const incoming = await answered;
    expect(incoming).toMatchObject({ statusCode: 413, headers: { connection: 'close' } });
    expect(String(await incoming.toArray())).toBe('too much');
    // The container is rid of it at once; a client that goes on all the same is so after a while (early-answers.test.ts).
    await until(async () => container.sockets.size === 0);
    outgoing.destroy();
  });

  test('a connection that is refused or breaks before the answer is a 502', async () => {
    const closed = await startContainer(() => {});
    await closed.stop();
    const nobody = await on.service({ at: closed.port });
    const refused = problemIn(await call(on.port, nobody.host, '/', { headers: way }));
    expect(refused).toMatchObject({ status: 502, code: 'service_unreachable' });
    expect(refused.detail).toContain(`${closed.port}`);
    handler = (incoming) => incoming.socket.destroy();
    const { host } = await on.service({ at: container.port });
    expect(problemIn(await call(on.port, host, '/', { headers: way }))).toMatchObject({ status: 502 });
  });
});

test('a client that sends requests and takes no answers is read no further', async () => {
  let answered = 0;
  handler = (_incoming, outgoing) => {
    answered += 1;
    outgoing.end(block);
  };
  const { host } = await on.service({ at: container.port });
  const socket = connect(on.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(500));
  let last = -1;
  await until(async () => {
    const rests = answered === last && answered > 0;
    last = answered;
    await sleep(300);
    return rests;
  });
  expect(answered).toBeLessThan(60);
  socket.destroy();
});

test('what a container answers that is not HTTP is a 502', async () => {
  const { host } = await on.service({ at: container.port });
  const answers = [
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`,
    'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(100),
  ];
  for (const answer of answers) {
    handler = (incoming) => incoming.socket.end(answer, 'latin1');
    const text = await raw(on.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(text, answer.slice(0, 60)).toMatch(/HTTP\/1\.1 502 .*"code":"service_unreachable"/s);
  }
});

test('after both a length and chunks the container’s connection is not used again', async () => {
  handler = (incoming) => {
    incoming.socket.write(
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
  };
  const { host } = await on.service({ at: container.port });
  const before = container.connections();
  for (let i = 0; i < 2; i += 1)
    expect(await call(on.port, host)).toMatchObject({
      body: 'hello',
      headers: { 'transfer-encoding': 'chunked' },
    });
  expect(container.connections() - before).toBe(2);
});

test('what a container says unasked reaches no other client', async () => {
  handler = (incoming, outgoing) => {
    outgoing.end('first');
    const { socket } = incoming;
    setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged'), 20);
  };
  const { host } = await on.service({ at: container.port });
  for (let i = 0; i < 4; i += 1) {
    expect((await call(on.port, host)).body).toBe('first');
    await sleep(40);
  }
});
