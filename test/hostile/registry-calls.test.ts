import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { freePort } from '../../infra/parts/ports.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { type Answer, type Bystander, bystander, hostileRegistry, onLoopback } from './support/registries.ts';

/**
 * Who writes an image's name must not choose whom the engine calls: no address of this machine or its networks, neither by the name
 * itself, nor by what a registry of their own answers.
 */
const lab = inject('lab');
const metadata = '169.254.169.254';
const neighbour = '10.211.99.7';
const secret = 'the secret of a neighbour';

let runlet: Runlet;
let takeAway: () => void;
let victims: Record<'loopback' | 'metadata' | 'neighbour', Bystander>;
let registry: Awaited<ReturnType<typeof hostileRegistry>>;
let answer: (path: string) => Answer = () => ({ status: 404 });

beforeAll(async () => {
  takeAway = onLoopback([metadata, neighbour]);
  victims = {
    loopback: await bystander('127.0.0.1', secret),
    metadata: await bystander(metadata, secret),
    neighbour: await bystander(neighbour, secret),
  };
  registry = await hostileRegistry((path) => answer(path));
  runlet = await startRunlet(lab, { env: { RUNLET_REGISTRY_ALLOW: registry.host } });
});
afterAll(async () => {
  await runlet.stop();
  await registry.stop();
  for (const one of Object.values(victims)) await one.stop();
  takeAway();
});
afterEach(() => {
  for (const one of Object.values(victims)) one.calls.length = 0;
  registry.asked.length = 0;
});

const nobodyWasCalled = () =>
  expect(Object.values(victims).map(({ calls }) => calls.length)).toEqual([0, 0, 0]);

const places = () => [
  `127.0.0.1:${victims.loopback.port}`,
  `localhost:${victims.loopback.port}`,
  `LOCALHOST:${victims.loopback.port}`,
  `x.localhost:${victims.loopback.port}`,
  `127.1:${victims.loopback.port}`,
  `2130706433:${victims.loopback.port}`,
  `0x7f.1:${victims.loopback.port}`,
  `0x7F000001:${victims.loopback.port}`,
  `0177.0.0.1:${victims.loopback.port}`,
  `0.0.0.0:${victims.loopback.port}`,
  `[::1]:${victims.loopback.port}`,
  `[::ffff:7f00:1]:${victims.loopback.port}`,
  `${metadata}:${victims.metadata.port}`,
  `${neighbour}:${victims.neighbour.port}`,
];

test('a reference that names a forbidden address is refused where it came in, and the field is named', async () => {
  for (const place of places()) {
    const image = `${place}/any/image:1`;
    const refused = (field: string) => ({
      status: 400,
      body: { code: 'validation_failed', errors: [{ path: field, message: expect.stringContaining(place) }] },
    });
    const ask = async (method: string, path: string, body: object) => {
      const response = await runlet.call(method, path, body);
      return { status: response.status, body: await response.json() };
    };
    expect(await ask('POST', '/v1/runs', { image })).toMatchObject(refused('image'));
    expect(await ask('POST', '/v1/images/pull', { image })).toMatchObject(refused('image'));
    expect(await ask('POST', '/v1/services', { image, name: 'lure' })).toMatchObject(refused('image'));
    const account = { username: 'u', password: 'p' };
    expect(await ask('PUT', `/v1/registries/${encodeURIComponent(place)}`, account)).toMatchObject({
      status: 400,
      body: { code: 'validation_failed', errors: [{ path: 'host' }] },
    });
    const batch = await ask('POST', '/v1/runs/batch', {
      runs: [{ image }, { image: 'busybox', pull: 'never' }],
    });
    expect(batch).toMatchObject({
      status: 207,
      body: {
        results: [
          { status: 400, code: 'validation_failed', errors: [{ path: 'image' }] },
          { status: 'queued' },
        ],
      },
    });
  }
  nobodyWasCalled();
});

describe('a registry that sends the engine elsewhere', () => {
  const challenge = (realm: string): Answer => ({
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="${realm}",service="s",scope="repository:any/image:pull"` },
    body: '{}',
  });
  const redirect = (location: string): Answer => ({ status: 307, headers: { location } });
  const isPing = (path: string) => path === '/v2/';
  const at = () => [
    `http://127.0.0.1:${victims.loopback.port}/token`,
    `http://localhost:${victims.loopback.port}/token`,
    `http://${metadata}:${victims.metadata.port}/latest/meta-data`,
    `http://${neighbour}:${victims.neighbour.port}/`,
    `http://2130706433:${victims.loopback.port}/`,
  ];
  const ways: [string, (target: string) => typeof answer][] = [
    ['by its realm', (to) => (path) => (isPing(path) ? challenge(to) : { status: 404 })],
    ['by a redirect of /v2/', (to) => (path) => (isPing(path) ? redirect(to) : { status: 404 })],
    ['by a redirect of the manifest', (to) => (path) => (isPing(path) ? {} : redirect(to))],
    [
      'by a redirect of its realm',
      (to) => (path) => {
        if (isPing(path)) return challenge(`http://${registry.host}/token`);
        return path.startsWith('/token') ? redirect(to) : { status: 404 };
      },
    ],
    [
      'by the last of several redirects',
      (to) => (path) => {
        if (isPing(path)) return {};
        return path === '/two' ? redirect(to) : redirect(path === '/one' ? 'two' : '/one');
      },
    ],
  ];

  test.each(ways)('%s: nobody is called, and the run says so', async (_, way) => {
    for (const target of at()) {
      answer = way(target);
      const ended = await runlet.run({ image: `${registry.host}/any/image:1` });
      expect(ended).toMatchObject({ status: 'errored', error: { code: 'registry_not_allowed' } });
      expect(ended.error?.detail).toContain('RUNLET_REGISTRY_ALLOW');
      expect(JSON.stringify(ended)).not.toContain(secret);
    }
    nobodyWasCalled();
  });
});

test('what a registry writes reaches nobody', async () => {
  const words = 'internal server error: password is hunter2';
  for (const [status, code] of [
    [401, 'UNAUTHORIZED'],
    [403, 'DENIED'],
    [404, 'MANIFEST_UNKNOWN'],
    [429, 'TOOMANYREQUESTS'],
    [500, 'UNKNOWN'],
    [418, 'TEAPOT'],
  ] as const) {
    const body = JSON.stringify({ errors: [{ code, message: words, detail: words }] });
    answer = (path) =>
      path === '/v2/' ? {} : { status, headers: { 'content-type': 'application/json' }, body };
    const image = `${registry.host}/any/image:1`;
    const ended = await runlet.run({ image });
    expect(ended.status).toBe('errored');
    const events = await (await runlet.call('GET', `/v1/runs/${ended.id}/events`)).text();
    const pulled = await (await runlet.call('POST', '/v1/images/pull', { image })).text();
    for (const text of [JSON.stringify(ended), events, pulled]) expect(text).not.toContain('hunter2');
  }
});

test.runIf(lab.ownsEngine)(
  'the mirror that the engine is set up with may be named by itself, and no neighbour of it',
  async () => {
    const ended = await runlet.run({ image: `${lab.registry}/library/hello-world`, pull: 'always' });
    expect(ended).toMatchObject({ status: 'succeeded', error: null });
    const { host } = lab.privateRegistry;
    expect((await runlet.call('POST', '/v1/runs', { image: `${host}/a/b:1` })).status).toBe(400);
  },
);

test('a port of nobody is the registry’s own matter', async () => {
  const free = await freePort('127.0.0.1');
  expect((await runlet.call('POST', '/v1/runs', { image: `127.0.0.1:${free}/a/b:1` })).status).toBe(400);
});
