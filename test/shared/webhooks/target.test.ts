import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { portPolicy } from '../../../shared/net/ports.ts';
import { parseTarget, targetFault, targetPolicy } from '../../../shared/webhooks/target.ts';

const policyOf = (allow = '', ports = '80,443,1024-65535') =>
  targetPolicy({ RUNLET_WEBHOOK_ALLOW: allow === '' ? [] : allow.split(','), RUNLET_WEBHOOK_PORTS: ports });
const policy = policyOf();

test.each([
  'https://example.com',
  'https://example.com/hook?a=b&c',
  'HTTPS://EXAMPLE.COM:8443/',
  'http://8.8.8.8/',
  'http://8.8.8.8:80/',
  'http://[2606:4700:4700::1111]/',
  'http://134744072/',
  'https://bücher.example/hook',
  'https://example.com./',
  ' https://example.com/ ',
])('%s is fine', (url) => {
  expect(targetFault(url, policy)).toBeUndefined();
});

describe('no spelling of a forbidden address passes', () => {
  test.each([
    // 127.0.0.1
    '127.0.0.1',
    '127.0.0.1.',
    '2130706433',
    '2130706433.',
    '017700000001',
    '0x7f000001',
    '0x7F000001',
    '0x7f.1',
    '0x7f.0.0.0x1',
    '0177.0.0.1',
    '0177.0.0.01',
    '00000177.0.0.1',
    '127.1',
    '127.0.1',
    '127.0x1',
    '127.255.255.254',
    '127%2E0%2E0%2E1',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '127。0。0。1',
    '127．0．0．1',
    '①②⑦.0.0.1',
    '127.0.0.1:80',
    '127.0.0.1:8080',
    '[::1]',
    '[::1]:8080',
    '[0:0:0:0:0:0:0:1]',
    '[0000:0000:0000:0000:0000:0000:0000:0001]',
    '[::ffff:7f00:1]',
    '[::FFFF:7F00:1]',
    '[::ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '[::7f00:1]',
    '[::ffff:0:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '[::]',
    '0',
    '0.0.0.0',
    '0x0',
    '00',
    // 169.254.169.254
    '169.254.169.254',
    '169.254.169.254.',
    '2852039166',
    '025177524776',
    '0xa9fea9fe',
    '0xA9.0xFE.0xA9.0xFE',
    '0251.0376.0251.0376',
    '169.254.43518',
    '169.16689662',
    '0xa9.254.0251.254',
    '169.254.169.254%2e',
    '１６９.２５４.１６９.２５４',
    '[::ffff:a9fe:a9fe]',
    '[::ffff:169.254.169.254]',
    '[::169.254.169.254]',
    '[64:ff9b::a9fe:a9fe]',
    '[64:ff9b:1::a9fe:a9fe]',
    '[2002:a9fe:a9fe::1]',
    '[fd00:ec2::254]',
    '[fe80::1]',
    // names that are loopback by definition
    'localhost',
    'localhost.',
    'LOCALHOST',
    'LocalHost..',
    'x.localhost',
    'a.b.localhost.',
    'ｌｏｃａｌｈｏｓｔ',
    'local%68ost',
  ])('%s', (host) => {
    for (const url of [`http://${host}/`, `https://${host}/a?b`, `HTTP:\\\\${host}\\`, ` http://${host}`])
      expect([url, targetFault(url, policy)]).toEqual([
        url,
        expect.stringMatching(/no public address|not a valid URL|has no host/),
      ]);
  });

  test('of any IPv4 address, whatever its base', () => {
    const base = fc.constantFrom(
      (n: number) => String(n),
      (n: number) => `0x${n.toString(16)}`,
      (n: number) => `0${n.toString(8)}`,
    );
    const forbidden = fc.constantFrom(
      ...[
        [127, 0, 0, 1],
        [169, 254, 169, 254],
        [10, 1, 2, 3],
        [192, 168, 0, 1],
      ],
    );
    fc.assert(
      fc.property(
        forbidden,
        fc.array(base, { minLength: 4, maxLength: 4 }),
        fc.nat(3),
        (parts, writes, merged) => {
          // The last part may stand for several bytes.
          const last = parts.slice(3 - merged).reduce((sum, one) => sum * 256 + one, 0);
          const numbers = [...parts.slice(0, 3 - merged), last];
          const host = numbers.map((one, index) => writes[index]?.(one) ?? '').join('.');
          expect([host, targetFault(`http://${host}/`, policy)]).toEqual([
            host,
            expect.stringContaining('no public address'),
          ]);
        },
      ),
    );
  });
});

test.each([
  ['', 'not a valid URL'],
  ['example.com', 'not a valid URL'],
  ['/hook', 'not a valid URL'],
  ['//example.com/hook', 'not a valid URL'],
  ['http://', 'not a valid URL'],
  ['http:///', 'not a valid URL'],
  ['http://a b/', 'not a valid URL'],
  ['http://[::1/', 'not a valid URL'],
  ['http://[fe80::1%25eth0]/', 'not a valid URL'],
  ['http://[fe80::1%eth0]/', 'not a valid URL'],
  ['http://1.2.3.4.5/', 'not a valid URL'],
  ['http://256.1.1.1/', 'not a valid URL'],
  ['http://0x100000000/', 'not a valid URL'],
  ['http://a.example:65536/', 'not a valid URL'],
  ['http://a.example:-1/', 'not a valid URL'],
  ['http://exa\0mple.com/', 'not a valid URL'],
  ['http://a%00.example/', 'not a valid URL'],
  ['http://./', 'has no host'],
  ['ftp://example.com/', 'must begin with'],
  ['file:///etc/passwd', 'must begin with'],
  ['gopher://example.com:6379/_FLUSHALL', 'must begin with'],
  ['javascript:alert(1)', 'must begin with'],
  ['data:text/plain,x', 'must begin with'],
  ['unix:///var/run/docker.sock', 'must begin with'],
  ['ws://example.com/', 'must begin with'],
  ['http+unix://%2Fvar%2Frun%2Fdocker.sock/', 'must begin with'],
  ['https://user@example.com/', 'user or password'],
  ['https://user:pass@example.com/', 'user or password'],
  ['https://:pass@example.com/', 'user or password'],
  ['http://example.com@127.0.0.1/', 'user or password'],
  ['http://127.0.0.1\\@example.com/', 'no public address'],
  ['http://example.com#@127.0.0.1/', 'fragment'],
  ['https://example.com/#x', 'fragment'],
  ['http://example.com:0/', 'has port 0'],
  ['http://example.com:22/', 'has port 22'],
  ['http://example.com:25/', 'has port 25'],
  ['http://example.com:1023/', 'has port 1023'],
])('%s', (url, fault) => {
  expect(targetFault(url, policy)).toContain(fault);
});

test('any text at all is a URL that may be called or has a fault, and is no crash', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'http',
      'https',
      '://',
      ':',
      '/',
      '//',
      '\\\\',
      '@',
      '#',
      '?',
      '.',
      '[',
      ']',
      '%',
      '127.0.0.1',
      'a.example',
      ':80',
    ),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      const parsed = parseTarget(text, policy);
      expect(targetFault(text, policy)).toBe('fault' in parsed ? parsed.fault : undefined);
      if ('url' in parsed) expect(parsed.url.href).toMatch(/^https?:\/\/[^@#/]+\/[^#]*$/);
    }),
  );
});

describe('what the operator allows', () => {
  test.each([
    ['127.0.0.1', 'http://2130706433/', true],
    ['127.0.0.1', 'http://127.0.0.2/', false],
    ['127.0.0.1', 'http://[::1]/', false],
    ['127.0.0.0/8', 'http://localhost/', true],
    ['localhost', 'http://localhost./', true],
    ['localhost', 'http://x.localhost/', false],
    ['localhost', 'http://127.0.0.1/', false],
    ['*.localhost', 'http://x.localhost/', true],
    ['*.localhost', 'http://localhost/', false],
    ['10.0.0.0/8', 'http://10.1.1.1/', true],
    ['10.0.0.0/8', 'http://192.168.1.1/', false],
    ['::ffff:10.0.0.0/104', 'http://[::ffff:a01:101]/', true],
    ['hooks.internal', 'http://other.localhost/', false],
  ])('%s: %s is %s', (allow, url, fine) => {
    expect(targetFault(url, policyOf(allow)) === undefined).toBe(fine);
  });

  test('of ports', () => {
    const port = portPolicy(' 443, 8000-8002 ,1');
    expect([1, 443, 8000, 8001, 8002].every(port)).toBe(true);
    expect([0, 2, 80, 442, 444, 7999, 8003, 65_536].some(port)).toBe(false);
    for (const text of [
      '',
      ',',
      '0',
      '65536',
      '80-',
      '-80',
      '90-80',
      '1e3',
      '80;443',
      'http',
      '99999',
      '1-2-3',
    ])
      expect(() => portPolicy(text)).toThrow(/no port/);
  });
});
