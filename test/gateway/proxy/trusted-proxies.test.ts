import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayEnvironment } from '../../../services/gateway/environment.ts';
import { forwardedLines } from '../../../services/gateway/proxy/forwarded.ts';
import { trustedProxies } from '../../../services/gateway/trusted-proxies.ts';
import { readEnvironment } from '../../../shared/config.ts';
import { type Container, type Proxied, startContainer, startProxied, ways } from './support.ts';

let on: Proxied;
let container: Container;
beforeAll(async () => {
  container = await startContainer((incoming, outgoing) => outgoing.end(JSON.stringify(told(incoming))));
  container.server.on('upgrade', (incoming: IncomingMessage, socket: Socket) =>
    socket.end(
      `HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: x\r\nX-Told: ${JSON.stringify(told(incoming))}\r\n\r\n`,
    ),
  );
  on = await startProxied({ RUNLET_TRUSTED_PROXIES: '127.0.0.8/31, fd00::/8' });
});
afterAll(async () => {
  await on.stop();
  await container.stop();
});

/** What a container hears of who asks. */
function told({ rawHeaders }: IncomingMessage): Record<string, string> {
  const all: Record<string, string> = {};
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    if (/^(x-forwarded-|forwarded|x-real-ip)/.test(name))
      all[name] = all[name] === undefined ? value : `TWICE ${value}`;
  }
  return all;
}

async function ask(
  from: string,
  host: string,
  headers: Record<string, string | string[]>,
): Promise<Record<string, string>> {
  const outgoing = request({
    ...{ host: '127.0.0.1', port: on.port, localAddress: from, agent: false },
    headers: { host, ...headers },
  });
  outgoing.end();
  const answer = (await Promise.race([once(outgoing, 'response'), once(outgoing, 'upgrade')])) as [
    IncomingMessage,
    Socket?,
  ];
  const [incoming, socket] = answer;
  if (socket !== undefined) {
    socket.destroy();
    return JSON.parse(String(incoming.headers['x-told']));
  }
  return JSON.parse((await incoming.toArray()).join(''));
}

const proxy = '127.0.0.9';
const said = {
  'X-Forwarded-For': '203.0.113.7, 198.51.100.2',
  'X-Forwarded-Host': 'app.example.com',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-Port': '443',
  'X-Forwarded-Prefix': '/elsewhere',
  'X-Real-IP': '203.0.113.7',
  Forwarded: 'for=203.0.113.7;proto=https;host="app.example.com:443", for="[2001:db8::1]:4711"',
};

const all = [...ways, ['an upgrade', { connection: 'Upgrade', upgrade: 'x' }]] as const;

describe.each(all)('by %s', (_, way) => {
  test('what a trusted proxy says is kept, and it is added itself', async () => {
    const { host } = await on.service({ at: container.port });
    expect(await ask(proxy, host, { ...way, ...said })).toEqual({
      'x-forwarded-for': '203.0.113.7, 198.51.100.2, 127.0.0.9',
      'x-forwarded-host': 'app.example.com',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443',
      'x-real-ip': '203.0.113.7',
      forwarded:
        'for=203.0.113.7;proto=https;host="app.example.com:443", for="[2001:db8::1]:4711", for=127.0.0.9',
    });
  });

  test('what anybody else says is dropped', async () => {
    const { host } = await on.service({ at: container.port });
    for (const from of ['127.0.0.1', '127.0.0.10'])
      expect(await ask(from, host, { ...way, ...said })).toEqual({
        'x-forwarded-for': from,
        'x-forwarded-host': host,
        'x-forwarded-proto': 'http',
      });
  });

  test('what it does not say is as without it', async () => {
    const { host } = await on.service({ at: container.port });
    const ours = { 'x-forwarded-host': host, 'x-forwarded-proto': 'http' };
    expect(await ask(proxy, host, way)).toEqual({ ...ours, 'x-forwarded-for': proxy });
    expect(await ask(proxy, host, { ...way, 'X-Forwarded-For': ['192.0.2.1', '192.0.2.2'] })).toEqual({
      ...ours,
      'x-forwarded-for': `192.0.2.1, 192.0.2.2, ${proxy}`,
    });
  });

  test('by path, the prefix is ours', async () => {
    const service = await on.service({ at: container.port });
    const outgoing = request({
      ...{ host: '127.0.0.1', port: on.port, localAddress: proxy, agent: false },
      path: `/s/${service.id}/`,
      headers: { host: 'localhost', ...said },
    });
    outgoing.end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(JSON.parse((await incoming.toArray()).join(''))).toMatchObject({
      'x-forwarded-prefix': `/s/${service.id}`,
      'x-forwarded-proto': 'https',
    });
  });
});

describe('a Forwarded field', () => {
  const from = { address: '192.0.2.9', host: 'a:1', proto: 'http', prefix: '', trusted: true };
  const of = (value: string, address = from.address) =>
    /^Forwarded: (.*)\r$/m.exec(forwardedLines({ ...from, address }, ['Forwarded', value]))?.[1];

  test.each([
    'for=192.0.2.43',
    'For="[2001:db8:cafe::17]:4711"',
    'for=192.0.2.60;proto=http;by=203.0.113.43',
    'for=_hidden, for=unknown',
    'for="_SEVKISEK";ext="a\\"b, c;d"',
    'for=a;, for=b',
  ])('%s is added to', (value) => {
    expect(of(value)).toBe(`${value}, for=192.0.2.9`);
    expect(of(value, '2001:db8::9')).toBe(`${value}, for="[2001:db8::9]"`);
  });

  test.each([
    'for="never closed',
    'for="a\\"',
    'for=[::1]',
    'for',
    '=x',
    'for=a b',
    'for=a for=b',
    'for=1.2.3.4:80',
    'nonsense"',
    'for="x"y',
    'for=é',
  ])('%s is none: it is begun anew', (value) => {
    expect(of(value)).toBe('for=192.0.2.9;host="a:1";proto=http');
  });

  test('other fields that are none are as if not said', () => {
    const lines = forwardedLines(from, [
      ...['X-Forwarded-Proto', 'ht tp'],
      ...['X-Forwarded-Host', 'a b'],
      ...['X-Forwarded-Port', '80;x'],
      ...['X-Real-IP', 'me'],
      ...['X-Forwarded-For', ''],
    ]);
    expect(lines).toBe('X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Host: a:1\r\nX-Forwarded-Proto: http\r\n');
  });

  test('is read in no time to speak of, whatever it is', () => {
    const began = process.cpuUsage().user;
    for (const piece of ['a=b;', 'a="', ',', 'a,', ' ', '\\"', 'a=";,', 'a'])
      for (const name of ['Forwarded', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port'])
        forwardedLines(from, [name, `${piece.repeat(16_000 / piece.length)}\x7f`]);
    expect((process.cpuUsage().user - began) / 1_000).toBeLessThan(5_000);
  });
});

describe('RUNLET_TRUSTED_PROXIES', () => {
  test('none by default; addresses and ranges of both families, mapped ones too', () => {
    expect(trustedProxies([])('127.0.0.1')).toBe(false);
    const trusts = trustedProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32', '::ffff:172.16.0.0/108']);
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.1', '2001:db8:1::2', '172.31.255.255'])
      expect(trusts(address), address).toBe(true);
    for (const address of ['11.0.0.1', '192.0.2.2', '2001:db9::', '172.32.0.0', '', 'localhost', '::1'])
      expect(trusts(address), address).toBe(false);
    expect(trustedProxies(['fe80::/10'])('fe80::1%eth0')).toBe(true);
    expect(trustedProxies(['0.0.0.0/0'])('::1')).toBe(false);
    expect(trustedProxies(['::/0'])('1.2.3.4')).toBe(false);
  });

  test.each([
    '10.0.0.0/33',
    '10.0.0/8',
    'proxy.internal',
    '10.0.0.0/',
    '/8',
    '::1/129',
    '010.0.0.1',
    '10.1',
    '*',
  ])('%s is refused at the start', (entry) => {
    const env = { RUNLET_SECRET_KEY: 'x'.repeat(32), RUNLET_TRUSTED_PROXIES: `127.0.0.1, ${entry}` };
    expect(() => readEnvironment(gatewayEnvironment, env)).toThrow(
      /RUNLET_TRUSTED_PROXIES: entry 2 .*addresses or CIDRs/,
    );
  });
});
