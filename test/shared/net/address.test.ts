import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressPolicy, isGlobal, literalOf } from '../../../shared/net/address.ts';

/**
 * The IANA registries of special-purpose addresses (RFC 6890 and what came after), each range by its ends and something in between,
 * and what lies right beside it.
 */
const special: [why: string, addresses: string[]][] = [
  ['this network, RFC 791', ['0.0.0.0', '0.0.0.1', '0.255.255.255']],
  ['private, RFC 1918', ['10.0.0.0', '10.1.2.3', '10.255.255.255']],
  ['private, RFC 1918', ['172.16.0.0', '172.20.1.1', '172.31.255.255']],
  ['private, RFC 1918', ['192.168.0.0', '192.168.1.1', '192.168.255.255']],
  ['shared by carriers, RFC 6598; Alibaba’s metadata', ['100.64.0.0', '100.100.100.200', '100.127.255.255']],
  ['loopback, RFC 1122', ['127.0.0.0', '127.0.0.1', '127.255.255.255']],
  ['link-local, RFC 3927; metadata', ['169.254.0.0', '169.254.169.254', '169.254.170.2', '169.254.255.255']],
  ['protocol assignments, RFC 6890; Oracle’s metadata', ['192.0.0.0', '192.0.0.192', '192.0.0.255']],
  ['TEST-NETs, RFC 5737', ['192.0.2.0', '192.0.2.255', '198.51.100.7', '203.0.113.0', '203.0.113.255']],
  ['6to4 relays, RFC 7526', ['192.88.99.0', '192.88.99.255']],
  ['AS112, RFC 7535', ['192.31.196.0', '192.175.48.255']],
  ['AMT, RFC 7450', ['192.52.193.1']],
  ['benchmarks, RFC 2544', ['198.18.0.0', '198.19.255.255']],
  ['multicast, RFC 5771', ['224.0.0.0', '224.0.0.251', '239.255.255.255']],
  ['reserved, RFC 1112', ['240.0.0.0', '250.1.2.3', '255.255.255.254']],
  ['broadcast, RFC 8190', ['255.255.255.255']],
  ['Azure’s host, which answers its guests on an address from the public space', ['168.63.129.16']],

  ['unspecified and loopback, RFC 4291', ['::', '::1', '0:0:0:0:0:0:0:1', '0000::0001']],
  [
    'IPv4-mapped: as the IPv4 address',
    ['::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:a9fe:a9fe', '::FFFF:10.0.0.1'],
  ],
  ['IPv4-compatible, RFC 4291 §2.5.5.1', ['::127.0.0.1', '::7f00:1', '::8.8.8.8', '::a9fe:a9fe']],
  ['IPv4-translated, RFC 2765', ['::ffff:0:127.0.0.1', '::ffff:0:8.8.8.8']],
  ['NAT64, RFC 6052', ['64:ff9b::10.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b::8.8.8.8', '64:ff9b:0::1']],
  ['NAT64, RFC 8215', ['64:ff9b:1::', '64:ff9b:1::a9fe:a9fe', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff']],
  ['6to4, RFC 3056', ['2002:0a00:0001::1', '2002:7f00:1::', '2002:a9fe:a9fe::', '2002:808:808::1']],
  ['Teredo, RFC 4380', ['2001::', '2001:0:a9fe:a9fe::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff']],
  ['discard, RFC 6666', ['100::', '100::ffff:ffff:ffff:ffff']],
  ['unique local, RFC 4193; AWS’s metadata', ['fc00::', 'fd00:ec2::254', 'fdff:ffff::1']],
  ['link-local, RFC 4291', ['fe80::', 'fe80::1', 'febf:ffff::1']],
  ['site-local, RFC 3879', ['fec0::', 'feff:ffff::1']],
  ['multicast, RFC 4291', ['ff00::', 'ff02::1', 'ffff::1']],
  [
    'protocol assignments, RFC 2928',
    ['2001:1::1', '2001:2::1', '2001:3::1', '2001:4:112::1', '2001:1ff:ffff::'],
  ],
  ['ORCHIDs and drones, RFC 4843, 7343, 9374', ['2001:10::1', '2001:20::1', '2001:3f:ffff::']],
  ['documentation, RFC 3849, 9637', ['2001:db8::', '2001:db8:ffff:ffff::', '3fff::', '3fff:fff:ffff::']],
  ['AS112, RFC 7534', ['2620:4f:8000::1']],
  ['segment routing, RFC 9602', ['5f00::', '5f00:ffff::1']],
  ['what is not given to anybody', ['200::1', '1::', '4000::1', '8000::', 'abcd::1', 'fbff::1']],
];

const global = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '168.63.129.15',
  '168.63.129.17',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '191.255.255.255',
  '192.0.1.0',
  '192.0.3.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2001:200::1',
  '2001:4860:4860::8888',
  '2001:db7:ffff::',
  '2001:db9::',
  '2003::1',
  '2400::1',
  '3ffe::1',
  '::ffff:8.8.8.8',
  '::ffff:808:808',
];

test.each(special)('%s: not global', (_, addresses) => {
  expect(addresses.filter(isGlobal)).toEqual([]);
  const policy = addressPolicy([]);
  expect(addresses.filter((address) => policy.allows('some.example', address))).toEqual([]);
});

test('what is public is', () => {
  expect(global.filter((address) => !isGlobal(address))).toEqual([]);
});

test('no address with a zone is: it has a meaning on this machine only', () => {
  expect(['fe80::1%eth0', 'fe80::1%25', '::1%lo', 'fd00::1%1', '2606:4700::1%eth0'].filter(isGlobal)).toEqual(
    [],
  );
});

test('nothing that is no address is', () => {
  const none = [
    '',
    'localhost',
    'a',
    '1.2.3.4.5',
    '1.2.3.4/8',
    '::1::',
    '[::1]',
    'fe80::%',
    '8.8.8.8 ',
    '٨.8.8.8',
  ];
  expect(none.filter(isGlobal)).toEqual([]);
});

describe('properties', () => {
  const bytes = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  const dotted = (parts: number[]) => parts.join('.');
  const hex = ([a = 0, b = 0, c = 0, d = 0]: number[]) =>
    `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;

  test('a mapped address is what it maps, however it is written', () => {
    fc.assert(
      fc.property(bytes, (parts) => {
        const plain = isGlobal(dotted(parts));
        expect(isGlobal(`::ffff:${dotted(parts)}`)).toBe(plain);
        expect(isGlobal(`::FFFF:${hex(parts)}`)).toBe(plain);
        expect(isGlobal(`0:0:0:0:0:ffff:${hex(parts)}`)).toBe(plain);
      }),
    );
  });

  test('nothing that carries an IPv4 address inside in another way is global', () => {
    fc.assert(
      fc.property(bytes, (parts) => {
        const carriers = [
          `::${dotted(parts)}`,
          `::ffff:0:${hex(parts)}`,
          `64:ff9b::${hex(parts)}`,
          `64:ff9b:1::${hex(parts)}`,
          `2002:${hex(parts)}::1`,
          `2001:0:${hex(parts)}::1`,
        ];
        expect(carriers.filter(isGlobal)).toEqual([]);
      }),
    );
  });

  test('what is outside 2000::/3 is not global', () => {
    const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
    const outside = groups.filter(([first = 0]) => (first & 0xe000) !== 0x2000);
    const mapped = (parts: number[]) => parts.slice(0, 5).every((one) => one === 0) && parts[5] === 0xffff;
    fc.assert(
      fc.property(
        outside.filter((parts) => !mapped(parts)),
        (parts) => {
          expect(isGlobal(parts.map((one) => one.toString(16)).join(':'))).toBe(false);
        },
      ),
    );
  });

  test('a range lets in its own addresses and no others', () => {
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 1, max: 32 }), (base, other, bits) => {
        const number = ([a = 0, b = 0, c = 0, d = 0]: number[]) => ((a * 256 + b) * 256 + c) * 256 + d;
        const inside =
          Math.floor(number(base) / 2 ** (32 - bits)) === Math.floor(number(other) / 2 ** (32 - bits));
        const wanted = inside || isGlobal(dotted(other));
        expect(addressPolicy([`${dotted(base)}/${bits}`]).allows('a.example', dotted(other))).toBe(wanted);
        expect(
          addressPolicy([`::ffff:${dotted(base)}/${96 + bits}`]).allows('a.example', dotted(other)),
        ).toBe(wanted);
        expect(addressPolicy([`${dotted(base)}/${bits}`]).allows('a.example', `::ffff:${hex(other)}`)).toBe(
          wanted,
        );
      }),
    );
  });

  test('whatever an operator writes is understood or refused, never a crash', () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), (entry, address) => {
        let policy: ReturnType<typeof addressPolicy>;
        try {
          policy = addressPolicy([entry]);
        } catch (error) {
          expect((error as Error).message).toContain('is neither a host, nor an address, nor a CIDR');
          return;
        }
        expect(typeof policy.allows('a.example', address)).toBe('boolean');
      }),
    );
  });
});

describe('what an operator allows', () => {
  type Allowed = [host: string, address: string];
  test.each<[entry: string, allowed: Allowed[], others: Allowed[]]>([
    [
      'hooks.internal',
      [
        ['hooks.internal', '10.0.0.1'],
        ['HOOKS.internal', '127.0.0.1'],
        ['hooks.internal.', '::1'],
      ],
      [
        ['other.internal', '10.0.0.1'],
        ['a.hooks.internal', '10.0.0.1'],
        ['xhooks.internal', '10.0.0.1'],
        ['hooks.internal.example', '10.0.0.1'],
        ['hooks-internal', '10.0.0.1'],
        ['10.0.0.1', '10.0.0.1'],
      ],
    ],
    // A name that is written as absolute means the same.
    ['Hooks.Internal.', [['hooks.internal', '10.0.0.1']], [['internal', '10.0.0.1']]],
    [
      '*.internal',
      [
        ['a.internal', '10.0.0.1'],
        ['b.a.internal', '192.168.1.1'],
        ['a.internal.', '10.0.0.1'],
      ],
      [
        ['internal', '10.0.0.1'],
        ['ainternal', '10.0.0.1'],
        ['a.internal.example', '10.0.0.1'],
      ],
    ],
    [
      '10.0.0.1',
      [
        ['x.example', '10.0.0.1'],
        ['10.0.0.1', '10.0.0.1'],
        ['x.example', '::ffff:10.0.0.1'],
      ],
      [
        ['x.example', '10.0.0.2'],
        ['x.example', '::10.0.0.1'],
        ['x.example', '2002:a00:1::'],
      ],
    ],
    [
      '10.0.0.0/8',
      [
        ['x.example', '10.255.0.1'],
        ['x.example', '::ffff:a00:1'],
      ],
      [
        ['x.example', '127.0.0.1'],
        ['x.example', '192.168.0.1'],
      ],
    ],
    ['::ffff:10.0.0.0/104', [['x.example', '10.255.0.1']], [['x.example', '127.0.0.1']]],
    ['::ffff:10.0.0.1', [['x.example', '10.0.0.1']], [['x.example', '10.0.0.2']]],
    ['[fd00::1]', [['x.example', 'fd00::1']], [['x.example', 'fd00::2']]],
    ['FD00::/8', [['x.example', 'fd12::2']], [['x.example', 'fe80::2']]],
    ['::1', [['x.example', '::1']], [['x.example', '127.0.0.1']]],
    ['127.0.0.0/8', [['x.example', '127.1.1.1']], [['x.example', '::1']]],
    ['0.0.0.0/0', [['x.example', '169.254.169.254']], [['x.example', '::1']]],
    ['::/0', [['x.example', 'fe80::1']], [['x.example', '169.254.169.254']]],
    [
      'localhost',
      [['localhost', '127.0.0.1']],
      [
        ['a.localhost', '127.0.0.1'],
        ['x.example', '127.0.0.1'],
      ],
    ],
  ])('%s', (entry, allowed, others) => {
    const policy = addressPolicy([entry]);
    expect(allowed.filter(([host, address]) => !policy.allows(host, address))).toEqual([]);
    expect(others.filter(([host, address]) => policy.allows(host, address))).toEqual([]);
    expect(policy.allows('x.example', '8.8.8.8')).toBe(true);
  });

  test.each([
    '',
    '*',
    '*.',
    '10.0.0.1:80',
    'http://a',
    'a b',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '::/129',
    'a/8',
    '*a.b',
    'ä.example',
    'a.*',
    '.',
    '-',
  ])('"%s" is refused', (entry) => {
    expect(() => addressPolicy([entry])).toThrow(/neither a host, nor an address, nor a CIDR/);
  });

  // The C library reads these as octal and as 10.0.0.1; whoever writes them means something else.
  test.each([
    '010.0.0.1',
    '10.1',
    '0x0a.0.0.1',
    '10.0.0.010',
    '10.1/8',
    '10',
    '0x7f000001',
    '*.0.0.1',
    '010.0.0.0/8',
  ])('%s is refused: it has two readings', (entry) => {
    expect(() => addressPolicy([entry])).toThrow(/neither a host, nor an address, nor a CIDR/);
  });
});

test('literalOf tells addresses from names', () => {
  expect(['127.0.0.1', '[::1]', '[::ffff:7f00:1]'].map(literalOf)).toEqual([
    '127.0.0.1',
    '::1',
    '::ffff:7f00:1',
  ]);
  expect(['a.example', 'localhost', 'dead.beef.example', 'fe.example'].map(literalOf)).toEqual(
    Array(4).fill(undefined),
  );
});
