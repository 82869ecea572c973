import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EngineRegistries } from '../../services/worker/engine/engine.ts';
import { createRegistryGuard } from '../../services/worker/images/registry/guard.ts';
import { ledTo } from '../../services/worker/images/registry/places.ts';
import { addressOf } from '../../shared/net/look-up.ts';
import { registryAddressFault, registryPolicy } from '../../shared/registries/policy.ts';
import { type Answer, type Bystander, bystander, hostileRegistry } from './support/registries.ts';

/** The worker's look before a pull, at names that a resolver of the test's own knows: where it would let the engine go. */
const account = { username: 'ci', password: 'hunter2' };
let victim: Bystander;
let registry: Awaited<ReturnType<typeof hostileRegistry>>;
let other: Awaited<ReturnType<typeof hostileRegistry>>;
let answer: (path: string) => Answer = () => ({ status: 404 });

beforeAll(async () => {
  victim = await bystander('127.0.0.1');
  registry = await hostileRegistry((path) => answer(path));
  other = await hostileRegistry(() => ({ body: '{"token":"of-the-other"}' }));
});
afterAll(() => Promise.all([victim.stop(), registry.stop(), other.stop()]));
afterEach(() => {
  victim.calls.length = 0;
  registry.asked.length = 0;
  other.asked.length = 0;
});

const portOf = (host: string) => host.split(':')[1];
const names: Record<string, string[]> = {
  'good.example': ['127.0.0.1'],
  'inside.example': ['10.0.0.7'],
  'both.example': ['93.184.216.34', '192.168.0.9'],
  'six.example': ['2606:2800:220:1::1', 'fd00::7'],
  'mapped.example': ['::ffff:169.254.169.254'],
  'metadata.example': ['169.254.169.254'],
};

function guardWith(
  more: { allow?: string[]; proxy?: Partial<EngineRegistries['proxy']>; mirrors?: string[] } = {},
) {
  return createRegistryGuard({
    env: {
      RUNLET_REGISTRY_ALLOW: more.allow ?? [
        registry.host,
        other.host,
        `good.example:${portOf(registry.host)}`,
      ],
      RUNLET_REGISTRIES: [],
    },
    engine: () => ({
      os: 'linux',
      architecture: 'amd64',
      registries: {
        mirrors: more.mirrors ?? [],
        named: ['docker.io'],
        insecure: ['127.0.0.0/8'],
        proxy: { http: '', https: '', without: '', ...more.proxy },
      },
    }),
    lookUp: async (host) => (names[host] ?? []).map(addressOf),
  });
}

const check = (image: string, guard = guardWith(), credentials?: typeof account) =>
  guard.check(image, credentials, new AbortController().signal).then(
    () => 'passed',
    (error: { code?: string }) => error.code,
  );
const ok = (body: unknown = {}): Answer => ({ body: JSON.stringify(body) });
const isPing = (path: string) => path === '/v2/';

test.each([
  ['inside.example:5000', 'registry_not_allowed'],
  ['both.example', 'registry_not_allowed'],
  ['six.example', 'registry_not_allowed'],
  ['mapped.example', 'registry_not_allowed'],
  ['METADATA.example', 'registry_not_allowed'],
  ['both.example:25', 'registry_not_allowed'],
  ['nowhere.example', 'registry_unavailable'],
])('a name that leads inside, or nowhere: %s', async (host, code) => {
  expect(await check(`${host}/a/b:1`)).toBe(code);
});

test('a name that the operator vouches for is asked, at that port alone', async () => {
  answer = () => ok();
  expect(await check(`good.example:${portOf(registry.host)}/a/b:1`)).toBe('passed');
  expect(registry.asked.map(({ path }) => path)).toEqual(['/v2/', '/v2/a/b/manifests/1']);
  expect(await check(`good.example:${victim.port}/a/b:1`)).toBe('registry_not_allowed');
  expect(victim.calls).toEqual([]);
});

test('the public registry is not asked, whatever its mirror is; a mirror may be named by itself', async () => {
  const mirrors = [`http://${registry.host}/`];
  const guard = guardWith({ allow: [], mirrors });
  for (const image of ['busybox', 'docker.io/library/busybox', 'index.docker.io/a/b:1'])
    expect(await check(image, guard)).toBe('passed');
  expect(registry.asked).toEqual([]);
  expect(await check(`${registry.host}/library/busybox`, guard)).toBe('passed');
  expect(await check(`127.0.0.1:${victim.port}/a/b:1`, guard)).toBe('registry_not_allowed');
});

describe('where a registry sends the engine', () => {
  const image = () => `${registry.host}/a/b:1`;
  const to = () => `http://127.0.0.1:${victim.port}/x`;
  const digest = `sha256:${'a'.repeat(64)}`;

  test.each<[string, (target: string) => typeof answer]>([
    [
      'one realm of several',
      (t) => () => ({ status: 401, headers: { 'www-authenticate': `Basic realm="x", Bearer realm="${t}"` } }),
    ],
    [
      'a realm without quotes',
      (t) => () => ({ status: 401, headers: { 'www-authenticate': `bearer REALM=${t}` } }),
    ],
    [
      'a realm with escapes',
      (t) => () => ({
        status: 401,
        headers: { 'www-authenticate': `Bearer realm="${t.replace('h', '\\h')}"` },
      }),
    ],
    [
      'a second realm in one challenge',
      (t) => () => ({
        status: 401,
        headers: { 'www-authenticate': `Bearer realm="http://${other.host}/",realm="${t}"` },
      }),
    ],
    [
      'a challenge at the manifest only',
      (t) => (path) =>
        isPing(path) ? ok() : { status: 401, headers: { 'www-authenticate': `Bearer realm="${t}"` } },
    ],
    [
      'a layer’s URL',
      (t) => (path) =>
        isPing(path) ? ok() : ok({ layers: [{ digest, urls: ['https://both.example:25/x', t] }] }),
    ],
    ['a layer’s URL in capitals', (t) => (path) => (isPing(path) ? ok() : ok({ Layers: [{ URLs: [t] }] }))],
    [
      'a URL behind an index',
      (t) => (path) => {
        if (isPing(path)) return ok();
        if (path.endsWith(digest)) return ok({ layers: [{ urls: [t] }] });
        return ok({ manifests: [{ digest, platform: { os: 'linux', architecture: 'x86_64' } }] });
      },
    ],
    [
      'a redirect for ever',
      () => (path) => (isPing(path) ? ok() : { status: 302, headers: { location: '/again' } }),
    ],
    [
      'a redirect to a name inside',
      () => (path) =>
        isPing(path) ? ok() : { status: 301, headers: { location: 'http://inside.example/' } },
    ],
    [
      'a redirect that parsers read in two ways',
      () => (path) =>
        isPing(path) ? ok() : { status: 303, headers: { location: `http://good.example\\@127.0.0.1/` } },
    ],
    [
      'more places than anybody needs',
      () => (path) =>
        isPing(path)
          ? ok()
          : ok({ layers: Array.from({ length: 65 }, (_, i) => ({ urls: [`http://${other.host}/${i}`] })) }),
    ],
  ])('%s', async (_, way) => {
    answer = way(to());
    expect(await check(image())).toBe('registry_not_allowed');
    expect(victim.calls).toEqual([]);
  });

  test('is refused where a name cannot be looked up, though the registry is the operator’s own', async () => {
    answer = () => ({
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="https://intranet/token"' },
    });
    expect(await check(image())).toBe('registry_unavailable');
  });

  test('is gone to with no more than an engine would tell there', async () => {
    answer = (path) => {
      if (isPing(path))
        return {
          status: 401,
          headers: { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="s"` },
        };
      if (path.startsWith('/token')) return ok({ token: 'of-the-registry' });
      return { status: 307, headers: { location: `http://${other.host}/cdn` } };
    };
    expect(await check(image(), guardWith(), account)).toBe('passed');
    const basic = `Basic ${Buffer.from('ci:hunter2').toString('base64')}`;
    expect(registry.asked.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      basic,
      'Bearer of-the-registry',
    ]);
    expect(other.asked.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test('is nobody’s matter when the answer has no end', async () => {
    const endless: Server = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      if (isPing(request.url ?? '')) return void response.end('{}');
      const chunk = Buffer.alloc(65_536, ' ');
      const more = () => {
        while (response.write(chunk)) if (response.destroyed) return;
        response.once('drain', more);
      };
      more();
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    const host = `127.0.0.1:${(endless.address() as AddressInfo).port}`;
    try {
      const before = process.memoryUsage().rss;
      expect(await check(`${host}/a/b:1`, guardWith({ allow: [host] }))).toBe('passed');
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    } finally {
      endless.closeAllConnections();
      endless.close();
    }
  });
});

describe('by the engine’s proxy', () => {
  test('names are asked by it, and what it would be sent to is looked at all the same', async () => {
    const tunnels: string[] = [];
    const proxy = createServer((request, response) => {
      tunnels.push(request.url ?? '');
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://10.0.0.7/token"' }).end();
    });
    proxy.on('connect', ({ url }, socket) => {
      tunnels.push(url ?? '');
      const upstream = connect(Number(portOf(registry.host)), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('error', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    try {
      const guard = guardWith({ allow: [], proxy: { http: url, https: url, without: 'direct.example' } });
      // What speaks no TLS at its end is no registry; but it was asked by the proxy, which knows the name.
      expect(await check('nowhere.example/a/b:1', guard)).toBe('registry_unavailable');
      expect(tunnels).toEqual(['nowhere.example:443']);
      expect(await check('inside.example/a/b:1', guard)).toBe('registry_not_allowed');
      expect(await check('10.0.0.7/a/b:1', guard)).toBe('registry_not_allowed');
      expect(await check('direct.example/a/b:1', guard)).toBe('registry_unavailable');
      expect(tunnels).toHaveLength(1);
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });
});

test.each([
  ['http://169.254.169.254:80/', 'http://169.254.169.254/'],
  ['HTTP://2130706433/', 'http://127.0.0.1/'],
  ['//other.example/x', 'https://other.example/x'],
  ['next?a=1', 'https://base.example/v2/next?a=1'],
])('a redirect to %s leads to %s', (text, url) => {
  expect(ledTo(text, new URL('https://base.example/v2/'))?.href).toBe(url);
});

test.each([
  'http:/169.254.169.254/',
  'http:169.254.169.254',
  'http:\\\\169.254.169.254\\',
  'http://good.example\\@169.254.169.254/',
  'http://user@169.254.169.254/',
  'http://[fe80::1%25lo]/',
  '//[fe80::1%25lo]/',
  'http://good.example\t/',
  'http:///169.254.169.254/',
])('a redirect to %j is no plain URL', (text) => {
  expect(() => ledTo(text, new URL('http://base.example/'))).toThrow('no plain URL');
});

describe('what the operator allows', () => {
  const faults = (entries: string[], hosts: string[]) => {
    const policy = registryPolicy(entries);
    return hosts.filter((host) => registryAddressFault(host, policy) !== undefined);
  };
  test.each<[string, string[], string[]]>([
    ['10.0.0.0/8', ['10.1.2.3:5000', '10.1.2.3'], ['192.168.0.1:5000', '127.0.0.1']],
    [
      '127.0.0.1:5000',
      ['127.0.0.1:5000', 'localhost:5000', '127.1:5000'],
      ['127.0.0.1:5001', 'localhost', '127.0.0.2:5000'],
    ],
    ['localhost', ['localhost:22', 'LOCALHOST:5000'], ['127.0.0.1:5000']],
    ['*.localhost', ['a.localhost:5000'], ['localhost:5000']],
    ['[fd00::1]:5000', ['[fd00::1]:5000', '[FD00:0::1]:5000'], ['[fd00::1]:5001', '[fd00::2]:5000']],
    ['fd00::/8', ['[fd00::1]:5000'], ['[fe80::1]:5000']],
    ['smtp.example:25', ['smtp.example:25'], ['other.example:25', 'smtp.example:22']],
    ['0.0.0.0/0', ['127.0.0.1:1', '2130706433:80'], ['[::1]:5000']],
  ])('%s', (entry, allowed, refused) => {
    expect(faults([entry], [...allowed, ...refused])).toEqual(refused);
  });
  test.each(['host:0', 'host:99999', 'a b', '10.0.0.0/33', 'http://x', ''])(
    '%j is nothing to allow',
    (entry) => {
      expect(() => registryPolicy([entry])).toThrow();
    },
  );
});
