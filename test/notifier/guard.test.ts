import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Delivery } from '../../shared/contracts/webhook.ts';
import { type Scene, startScene, web } from './support/scene.ts';

/**
 * What webhooks may reach. On the island forbidden addresses are within reach as well as public ones, so nothing but the guard is in the way;
 * and whatever it is that connects to anything there is seen.
 */
const lab = inject('lab');
const site = '203.0.114.10';
const otherSite = '203.0.115.11';
const site6 = '2a00:aaaa::10';
const metadata = '169.254.169.254';
const forbidden = [
  metadata,
  '127.0.0.1',
  '10.9.9.9',
  '172.20.9.9',
  '192.168.9.9',
  '100.100.100.200',
  '168.63.129.16',
];
const forbidden6 = ['::1', 'fd00:ec2::254', 'fec0::9', '64:ff9b::a9fe:a9fe'];

let scene: Scene;
/** Host and path of every request that came anywhere. */
const calls: string[] = [];
const deliver = (url: string) => scene.webhooks.deliver(url);
const codes = ({ attempts }: Delivery) => attempts.map(({ error }) => error?.code ?? null);

beforeAll(async () => {
  scene = await startScene(lab, { RUNLET_WEBHOOK_SCHEDULE_MS: '50', RUNLET_WEBHOOK_TIMEOUT_MS: '5000' });
  const taker = web((request, response) => {
    calls.push(`${request.headers.host}${request.url}`);
    const to = request.url?.split('to=')[1];
    if (to === undefined) response.writeHead(204).end();
    else response.writeHead(Number(request.url?.slice(1, 4)), { location: to }).end('elsewhere');
  });
  for (const address of [site, otherSite, site6, ...forbidden, ...forbidden6])
    for (const port of [80, 8080]) await scene.island.at(address, port, taker);
  await scene.island.at(site, 25, taker);
});
afterEach(() => {
  expect(scene.notifier.alive()).toBe(true);
  calls.length = 0;
  scene.island.touched.length = 0;
  scene.island.asked.length = 0;
});
afterAll(() => scene.stop());

describe('addresses', () => {
  test.each([site, `${site}:8080`, `[${site6}]`, `[::ffff:${site}]`])('%s is called', async (host) => {
    expect(await deliver(`http://${host}/hook?a=b`)).toMatchObject({
      status: 'delivered',
      attempts: [{ statusCode: 204, error: null }],
    });
    expect(calls).toHaveLength(1);
  });

  test.each([
    ...forbidden,
    ...forbidden6.map((one) => `[${one}]`),
    // Spellings of 127.0.0.1 and 169.254.169.254.
    ...['2130706433', '017700000001', '0x7f000001', '0177.0.0.1', '0x7f.1', '127.1', '127.0.1', '127.0.0.1.'],
    ...[
      '127%2E0%2E0%2E1',
      '１２７.0.0.1',
      '127。0。0。1',
      '[::ffff:7f00:1]',
      '[::127.0.0.1]',
      '[::FFFF:127.0.0.1]',
    ],
    ...['2852039166', '0xA9FEA9FE', '0251.0376.0251.0376', '169.254.43518', '[::ffff:a9fe:a9fe]'],
    ...[
      '0.0.0.0',
      '0',
      '[::]',
      'localhost',
      'LOCALHOST.',
      'a.localhost',
      'ｌｏｃａｌｈｏｓｔ',
      '127.0.0.1:8080',
    ],
  ])('%s is not', async (host) => {
    const delivery = await deliver(`http://${host}/`);
    expect(codes(delivery)).toEqual(['blocked_address', 'blocked_address']);
    expect(delivery).toMatchObject({
      status: 'failed',
      attempts: [{ statusCode: null, response: null }, {}],
    });
    expect(delivery.attempts[0]?.error?.message).toMatch(/no public address.*RUNLET_WEBHOOK_ALLOW/);
    expect(scene.island.touched).toEqual([]);
    expect(scene.island.asked).toEqual([]);
  });

  test('a port of mail is not', async () => {
    const delivery = await deliver(`http://${site}:25/`);
    expect(codes(delivery)).toEqual(['blocked_address', 'blocked_address']);
    expect(delivery.attempts[0]?.error?.message).toContain('port 25');
    expect(scene.island.touched).toEqual([]);
  });
});

describe('names', () => {
  let count = 0;
  /** A name nobody has asked for yet. */
  const named = (answers: (asked: number) => string[] | undefined) => {
    count += 1;
    const name = `n${count}.example`;
    scene.island.names.set(name, answers);
    return name;
  };

  test.each([[[site]], [[site, otherSite]], [[site6]], [[site6, site]]])(
    'of %j are called',
    async (addresses) => {
      const name = named(() => addresses);
      expect(await deliver(`http://${name}/hook`)).toMatchObject({ status: 'delivered' });
      expect(calls).toEqual([`${name}/hook`]);
    },
  );

  test('of the machine’s hosts file are called', async () => {
    await scene.island.at(
      '203.0.114.80',
      80,
      web((_, response) => response.writeHead(200).end()),
    );
    expect(await deliver('http://LISTED.example/')).toMatchObject({ status: 'delivered' });
    expect(scene.island.asked).toEqual([]);
  });

  test.each([
    ...forbidden.map((one) => [[one]]),
    ...forbidden6.map((one) => [[one]]),
    // One that is forbidden forbids them all, wherever it stands.
    [[site, metadata]],
    [[metadata, site]],
    [[site, '::1']],
    [[site6, '127.0.0.1']],
    [['::ffff:7f00:1']],
    [['::7f00:1']],
    [['0.0.0.0']],
  ])('of %j are not', async (addresses) => {
    const delivery = await deliver(`http://${named(() => addresses)}/`);
    expect(codes(delivery)).toEqual(['blocked_address', 'blocked_address']);
    expect(scene.island.touched).toEqual([]);
  });

  test('that answer otherwise the next time (DNS rebinding) gain nothing', async () => {
    const delivered = named((asked) => (asked === 0 ? [site] : [metadata]));
    expect(codes(await deliver(`http://${delivered}/`))).toEqual([null]);
    // Asked once: what was checked is what is connected to.
    expect(scene.island.asked).toEqual([delivered]);
    expect(scene.island.touched).toEqual([`${site} 80`]);
    expect(codes(await deliver(`http://${delivered}/`))).toEqual(['blocked_address', 'blocked_address']);
    expect(scene.island.touched).toEqual([`${site} 80`]);
  });

  test('that answer otherwise on the second try of a delivery do not either', async () => {
    const name = named((asked) => (asked === 0 ? [otherSite] : [metadata]));
    const delivery = await deliver(`http://${name}/500?to=http://nowhere.example/`);
    expect(delivery).toMatchObject({
      status: 'failed',
      attempts: [{ statusCode: 500 }, { statusCode: null, error: { code: 'blocked_address' } }],
    });
    expect(scene.island.touched.filter((one) => one !== `${otherSite} 80`)).toEqual([]);
  });

  test('nor through a connection that is still open', async () => {
    const name = named((asked) => [asked === 0 ? site : '127.0.0.1']);
    const kept = named(() => [site]);
    expect(codes(await deliver(`http://${kept}/`))).toEqual([null]);
    expect(codes(await deliver(`http://${kept}/`))).toEqual([null]);
    // Two deliveries, one connection, and both were checked.
    expect(scene.island.touched).toEqual([`${site} 80`]);
    expect(scene.island.asked).toEqual([kept, kept]);
    expect(codes(await deliver(`http://${name}/`))).toEqual([null]);
    expect(codes(await deliver(`http://${name}/`))).toEqual(['blocked_address', 'blocked_address']);
  });

  test('that do not exist, have no address or are not answered for', async () => {
    expect(codes(await deliver('http://nowhere.example/'))).toEqual(['dns_failed', 'dns_failed']);
    expect(codes(await deliver(`http://${named(() => [])}/`))).toEqual(['dns_failed', 'dns_failed']);
    const silent = await deliver(`http://${named(() => undefined)}/`);
    for (const code of codes(silent)) expect(code).toMatch(/^(timeout|dns_failed)$/);
    expect(silent.attempts).toHaveLength(2);
  });

  test('with more addresses than anybody needs are called all the same, and one bad one among them is found', async () => {
    const many = Array.from({ length: 25 }, (_, index) => `203.0.116.${index + 1}`);
    for (const address of many.slice(0, 3))
      await scene.island.at(
        address,
        80,
        web((_, response) => response.writeHead(200).end()),
      );
    expect(codes(await deliver(`http://${named(() => many)}/`))).toEqual([null]);
    const delivery = await deliver(`http://${named(() => [...many, metadata])}/`);
    expect(codes(delivery)).toEqual(['blocked_address', 'blocked_address']);
  });
});

describe('redirects', () => {
  test.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
    const delivery = await deliver(`http://${site}/${status}?to=http://${metadata}/latest/meta-data/`);
    expect(codes(delivery)).toEqual(['redirect', 'redirect']);
    expect(delivery).toMatchObject({
      status: 'failed',
      attempts: [{ statusCode: status, response: 'elsewhere' }, {}],
    });
    expect(calls).toHaveLength(2);
    expect(scene.island.touched.filter((one) => one !== `${site} 80`)).toEqual([]);
    expect(scene.island.asked).toEqual([]);
  });
});

describe('another policy', () => {
  test('another resolver is asked where the operator says so', async () => {
    await scene.restartNotifier({ RUNLET_WEBHOOK_DNS: '127.0.0.1:53' });
    scene.island.names.set('listed.example', () => [otherSite]);
    expect(codes(await deliver('http://listed.example/'))).toEqual([null]);
    // Its word counts, not that of the hosts file.
    expect(scene.island.touched).toEqual([`${otherSite} 80`]);
  });

  test('allows what it names and nothing else', async () => {
    scene.island.names.set('hooks.internal', () => ['10.9.9.9']);
    scene.island.names.set('other.internal', () => ['10.9.9.9']);
    await scene.restartNotifier({
      RUNLET_WEBHOOK_ALLOW: 'hooks.internal,192.168.9.0/24',
      RUNLET_WEBHOOK_PORTS: '80',
    });
    expect(codes(await deliver('http://hooks.internal/'))).toEqual([null]);
    expect(codes(await deliver('http://192.168.9.9/'))).toEqual([null]);
    expect(codes(await deliver(`http://${site}/`))).toEqual([null]);
    expect(calls).toHaveLength(3);
    for (const url of [
      'http://other.internal/',
      'http://10.9.9.9/',
      `http://${metadata}/`,
      `http://${site}:8080/`,
    ])
      expect(codes(await deliver(url))).toEqual(['blocked_address', 'blocked_address']);
    expect(calls).toHaveLength(3);
  });
});
