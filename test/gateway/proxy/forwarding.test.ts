import type { ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support.ts';
import {
  type Container,
  call,
  type Handler,
  type Proxied,
  raw,
  startContainer,
  startProxied,
  ways,
} from './support.ts';

let on: Proxied;
let container: Container;
let handler: Handler;
beforeAll(async () => {
  container = await startContainer((incoming, outgoing) => handler(incoming, outgoing));
  on = await startProxied();
});
afterEach(() => {
  container.seen.length = 0;
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

const echo: Handler = (incoming, outgoing) => {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => outgoing.end(Buffer.concat(chunks)));
};
const pairs = (list: string[]) =>
  list.flatMap((name, i) => (i % 2 === 0 ? [`${name.toLowerCase()}: ${list[i + 1]}`] : []));

describe.each(ways)('by the %s', (_, way) => {
  test.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])(
    '%s',
    async (method) => {
      handler = (incoming, outgoing) => {
        outgoing.setHeader('x-method', incoming.method ?? '');
        echo(incoming, outgoing);
      };
      const { host } = await on.service({ at: container.port });
      const body = method === 'GET' || method === 'HEAD' ? undefined : 'body ✓';
      const answer = await call(on.port, host, '/', { method, headers: way, ...(body && { body }) });
      expect(answer).toMatchObject({ status: 200, body: body ?? '', headers: { 'x-method': method } });
    },
  );

  test('the container is told who asks, and what only a proxy may say is ours', async () => {
    handler = (incoming, outgoing) => outgoing.end(JSON.stringify(pairs(incoming.rawHeaders)));
    const service = await on.service({ at: container.port });
    const lies = {
      'X-Forwarded-For': '6.6.6.6',
      'X-Forwarded-Host': 'evil',
      'X-Forwarded-Proto': 'gopher',
      'X-Forwarded-Prefix': '/evil',
      'X-Real-IP': '6.6.6.6',
      Forwarded: 'for=6.6.6.6',
    };
    const headers = { ...way, ...lies, 'X-Kept': ['a', 'b'], Cookie: 'c=d' };
    const byName = JSON.parse((await call(on.port, service.host, '/', { headers })).body) as string[];
    expect(byName.toSorted()).toEqual(
      [
        `host: ${service.host}`,
        'x-kept: a',
        'x-kept: b',
        'cookie: c=d',
        'x-forwarded-for: 127.0.0.1',
        `x-forwarded-host: ${service.host}`,
        'x-forwarded-proto: http',
      ].toSorted(),
    );
    const byPath = JSON.parse((await call(on.port, 'localhost:1', `/s/${service.id}/`, { headers })).body);
    expect(byPath).toContain(`x-forwarded-prefix: /s/${service.id}`);
    expect(byPath).toContain('x-forwarded-host: localhost:1');
    expect(byPath).toContain(`host: ${service.name}.localhost:8080`);
  });

  test('fields of the connection stay on it, both ways', async () => {
    handler = (incoming, outgoing) => {
      outgoing.writeHead(200, [
        ...['Connection', 'keep-alive, X-Hop'],
        ...['Keep-Alive', 'timeout=7'],
        ...['Proxy-Connection', 'keep-alive'],
        ...['X-Hop', 'secret'],
        ...['Upgrade', 'h2c'],
        ...['X-End', 'kept'],
      ]);
      outgoing.end(JSON.stringify(pairs(incoming.rawHeaders)));
    };
    const { host } = await on.service({ at: container.port });
    const headers = {
      ...way,
      Connection: 'close, X-Mine',
      'X-Mine': 'secret',
      'Keep-Alive': 'timeout=9',
      'Proxy-Connection': 'close',
      'Proxy-Authorization': 'Basic eDp5',
      TE: 'trailers, gzip;q=1',
      'HTTP2-Settings': 'AAA',
      'X-Yours': 'kept',
    };
    const answer = await call(on.port, host, '/', { headers });
    const names = pairs(answer.raw).map((line) => line.slice(0, line.indexOf(':')));
    expect(names).toContain('x-end');
    expect(names).not.toContain('x-hop');
    expect(names).not.toContain('proxy-connection');
    expect(names).not.toContain('upgrade');
    expect(answer.headers['keep-alive']).not.toBe('timeout=7');
    const got = JSON.parse(answer.body) as string[];
    expect(got.filter((line) => !/^(x-forwarded|host|x-yours)/.test(line)).toSorted()).toEqual([
      'connection: TE',
      'te: trailers',
    ]);
    expect(got).toContain('x-yours: kept');
  });

  test('a connection cannot be told to lose Host or a body’s length', async () => {
    handler = (incoming, outgoing) =>
      outgoing.end(
        `${incoming.headers.host} ${incoming.headers['content-length']} ${incoming.headers['x-forwarded-for']}`,
      );
    const { host } = await on.service({ at: container.port });
    const headers = { ...way, Connection: 'close, Host, Content-Length, X-Forwarded-For, Transfer-Encoding' };
    const answer = await call(on.port, host, '/', { method: 'POST', headers, body: '12345' });
    expect(answer.body).toBe(`${host} 5 127.0.0.1`);
  });

  test('status, reason and fields go on as they are, those that stand twice too', async () => {
    handler = (_, outgoing) => {
      outgoing.writeHead(418, 'Short and stout', [
        ...['Set-Cookie', 'a=1; Domain=x'],
        ...['Set-Cookie', 'b=2'],
        ...['Content-Type', 'text/html; charset=latin1'],
        ...['X-Bytes', Buffer.from('grüß').toString('latin1')],
        ...['Date', 'yesterday'],
        ...['Location', '/there'],
        ...['Content-Encoding', 'gzip'],
      ]);
      outgoing.end('not gzip');
    };
    const { host } = await on.service({ at: container.port });
    const answer = await call(on.port, host, '/', { headers: way });
    expect(answer).toMatchObject({ status: 418, body: 'not gzip' });
    expect(pairs(answer.raw)).toEqual(
      expect.arrayContaining([
        'set-cookie: a=1; Domain=x',
        'set-cookie: b=2',
        'content-type: text/html; charset=latin1',
        `x-bytes: ${Buffer.from('grüß').toString('latin1')}`,
        'date: yesterday',
        'location: /there',
      ]),
    );
    expect(answer.raw.filter((name) => name.toLowerCase() === 'date')).toHaveLength(1);
    expect(
      (await raw(on.port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).split('\r\n')[0],
    ).toBe('HTTP/1.1 418 Short and stout');
  });

  test('errors of the service are its own', async () => {
    const { host } = await on.service({ at: container.port });
    for (const status of [400, 401, 404, 500, 502, 503, 504]) {
      handler = (_, outgoing) => outgoing.writeHead(status, { 'x-own': 'yes' }).end('mine');
      expect(await call(on.port, host, '/', { headers: way })).toMatchObject({
        status,
        body: 'mine',
        headers: { 'x-own': 'yes' },
      });
    }
  });

  test('answers without a body end where they should', async () => {
    const { host } = await on.service({ at: container.port });
    const answerOf = (status: number, fields: Record<string, string> = {}) => {
      handler = (_, outgoing) => outgoing.writeHead(status, fields).end();
    };
    answerOf(204);
    expect(await call(on.port, host, '/', { headers: way })).toMatchObject({ status: 204, body: '' });
    answerOf(304, { etag: '"x"', 'content-length': '77' });
    const unchanged = await call(on.port, host, '/', { headers: way });
    expect(unchanged).toMatchObject({ status: 304, headers: { etag: '"x"' } });
    answerOf(200, { 'content-length': '12345' });
    const head = await call(on.port, host, '/', { method: 'HEAD', headers: way });
    expect(head).toMatchObject({ status: 200, body: '', headers: { 'content-length': '12345' } });
    answerOf(200, { 'content-length': '0' });
    expect(await call(on.port, host, '/', { headers: way })).toMatchObject({ status: 200, body: '' });
  });

  test('the length, or that there is none, stays as the container has it', async () => {
    const { host } = await on.service({ at: container.port });
    handler = (_, outgoing) => {
      outgoing.write('a');
      setImmediate(() => outgoing.end('b'));
    };
    const chunked = await call(on.port, host, '/', { headers: way });
    expect(chunked).toMatchObject({ body: 'ab', headers: { 'transfer-encoding': 'chunked' } });
    handler = (_, outgoing) => outgoing.writeHead(200, { 'content-length': '3' }).end('abc');
    const counted = await call(on.port, host, '/', { headers: way });
    expect(counted).toMatchObject({ body: 'abc', headers: { 'content-length': '3' } });
    expect(counted.headers['transfer-encoding']).toBeUndefined();
  });

  test('a body that ends with the container’s connection arrives whole', async () => {
    handler = (incoming) => incoming.socket.end('HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nall of it');
    const { host } = await on.service({ at: container.port });
    expect(await call(on.port, host, '/', { headers: way })).toMatchObject({
      status: 200,
      body: 'all of it',
      headers: { 'x-old': 'yes' },
    });
  });

  test('trailers', async () => {
    handler = (incoming, outgoing) => {
      outgoing.writeHead(200, { Trailer: 'X-Sum' });
      outgoing.write('body');
      outgoing.addTrailers({ 'X-Sum': '4' });
      incoming.resume().on('end', () => outgoing.end());
    };
    const { host } = await on.service({ at: container.port });
    expect(await call(on.port, host, '/', { headers: way })).toMatchObject({
      body: 'body',
      headers: { trailer: 'X-Sum' },
      trailers: { 'x-sum': '4' },
    });
  });

  test('Content-Length: 0 is not lost, and none is made up', async () => {
    handler = (incoming, outgoing) => outgoing.end(String(incoming.headers['content-length']));
    const { host } = await on.service({ at: container.port });
    const post = (fields: string) =>
      raw(on.port, `POST / HTTP/1.1\r\nHost: ${host}\r\n${fields}Connection: close\r\n\r\n`);
    const unusual = 'upgrade' in way ? 'Upgrade: x\r\n' : '';
    expect(await post(`${unusual}Content-Length: 0\r\n`)).toMatch(/0$/);
    expect(await post(unusual)).toMatch(/undefined$/);
  });

  test('connections to the container are kept and used again', async () => {
    handler = echo;
    const { host } = await on.service({ at: container.port });
    const before = container.connections();
    for (let i = 0; i < 5; i += 1)
      await call(on.port, host, '/', { method: 'POST', headers: way, body: `${i}` });
    expect(container.connections() - before).toBe(1);
  });

  test('of requests on one connection each gets its own answer, like the one before or not', async () => {
    handler = (incoming, outgoing) => {
      const answer = `${incoming.method} ${incoming.url} ${incoming.headers['x-word'] ?? '-'}`;
      outgoing.setHeader('content-length', 20).setHeader('x-said', answer);
      outgoing.end(incoming.method === 'HEAD' ? '' : answer.padEnd(20, '.'));
    };
    const { host } = await on.service({ at: container.port });
    const line = Object.entries(way).map(([name, value]) => `${name}: ${value}\r\n`);
    const ask = (method: string, path: string, word: string) =>
      `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${line.join('')}X-Word: ${word}\r\n\r\n`;
    const asked = [
      ...[ask('GET', '/a', 'b'), ask('GET', '/a', 'b'), ask('HEAD', '/a', 'b'), ask('GET', '/a', 'b')],
      ...[ask('GET', '/a', 'c'), ask('GET', '/b', 'c'), ask('HEAD', '/b', 'c'), ask('HEAD', '/b', 'c')],
      ask('GET', '/end', 'c'),
    ];
    const text = await raw(on.port, asked.join(''), /GET \/end c\.+$/);
    expect(
      [...text.matchAll(/x-said: (.*)\r\n|(?<=\r\n\r\n)(\w+ \S+ \w)\.+/gi)].map(([, a, b]) => a ?? b),
    ).toEqual([
      ...['GET /a b', 'GET /a b', 'GET /a b', 'GET /a b', 'HEAD /a b', 'GET /a b', 'GET /a b'],
      ...[
        'GET /a c',
        'GET /a c',
        'GET /b c',
        'GET /b c',
        'HEAD /b c',
        'HEAD /b c',
        'GET /end c',
        'GET /end c',
      ],
    ]);
  });

  test('one that the container has closed meanwhile is nobody’s fault: the request is sent again', async () => {
    let requests = 0;
    handler = (incoming, outgoing) => {
      requests += 1;
      if (requests === 2) incoming.socket.destroy();
      else outgoing.end(`${requests}`);
    };
    const { host } = await on.service({ at: container.port });
    expect((await call(on.port, host, '/', { headers: way })).body).toBe('1');
    expect((await call(on.port, host, '/', { headers: way })).body).toBe('3');
  });

  test('… but not one that may have done something', async () => {
    let requests = 0;
    handler = (incoming, outgoing) => {
      requests += 1;
      if (requests === 2) incoming.socket.destroy();
      else outgoing.end(`${requests}`);
    };
    const { host } = await on.service({ at: container.port });
    await call(on.port, host, '/', { headers: way });
    const answer = await call(on.port, host, '/', { method: 'POST', headers: way });
    expect([answer.status, requests]).toEqual([502, 2]);
  });
});

test('Expect: 100-continue is the container’s to answer', async () => {
  const { host } = await on.service({ at: container.port });
  const asked = `POST / HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`;
  container.server.once('checkContinue', (_, outgoing) => outgoing.writeHead(417).end('no'));
  expect(await raw(on.port, asked)).toMatch(/^HTTP\/1\.1 417 /);
  container.server.removeAllListeners('checkContinue');
  handler = echo;
  expect(await raw(on.port, asked, /\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  expect(await raw(on.port, `${asked}data`)).toMatch(
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n.*data$/s,
  );
});

test('early hints come before the answer', async () => {
  handler = (_, outgoing) => {
    outgoing.writeEarlyHints({ link: '</style.css>; rel=preload' });
    outgoing.end('page');
  };
  const { host } = await on.service({ at: container.port });
  for (const unusual of ['', 'Upgrade: x\r\n']) {
    const text = await raw(on.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n${unusual}Connection: close\r\n\r\n`);
    expect(text).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/style\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK/,
    );
  }
});

test('HTTP/1.0 clients get a body that ends with the connection', async () => {
  handler = (_, outgoing) => {
    outgoing.write('a');
    setImmediate(() => outgoing.end('b'));
  };
  const { host } = await on.service({ at: container.port });
  const text = await raw(on.port, `GET / HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  expect(text).not.toMatch(/transfer-encoding/i);
  expect(text).toMatch(/\r\n\r\nab$/);
});

test('a chunked request with trailers goes on as one', async () => {
  handler = (incoming, outgoing) => {
    let body = '';
    incoming.on('data', (chunk) => {
      body += chunk;
    });
    incoming.on('end', () =>
      outgoing.end(`${body} ${JSON.stringify(incoming.trailers)} ${incoming.headers['transfer-encoding']}`),
    );
  };
  const { host } = await on.service({ at: container.port });
  const text = await raw(
    on.port,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n`,
  );
  expect(text).toMatch(/abcde \{"x-sum":"5"\} chunked$/);
});

test('another start of the container gets new connections', async () => {
  handler = echo;
  const service = await on.service({ at: container.port });
  const before = container.connections();
  await call(on.port, service.host);
  await service.report('ready', { startedAt: new Date(1).toISOString() });
  await until(async () => {
    await call(on.port, service.host);
    return container.connections() - before === 2;
  });
});

test('requests at once are each at the container at once', async () => {
  const waiting: ServerResponse[] = [];
  handler = (_incoming, outgoing) => {
    waiting.push(outgoing);
    // Nobody is answered before all have come.
    if (waiting.length === 200) for (const one of waiting) one.end('x'.repeat(20_000));
  };
  const { host } = await on.service({ at: container.port });
  const answers = await Promise.all(Array.from({ length: 200 }, () => call(on.port, host)));
  for (const { status, body } of answers) expect([status, body.length]).toEqual([200, 20_000]);
});
