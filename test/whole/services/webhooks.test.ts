import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { payload } from '../../../services/gateway/webhooks/payload.ts';
import type { Service } from '../../../shared/contracts/service.ts';
import type { Delivery, Webhook } from '../../../shared/contracts/webhook.ts';
import { newWebhookSecret } from '../../../shared/webhooks/signature.ts';
import { ensureImages } from '../../support/lab-images.ts';
import { type Received, type Receiver, startReceiver, verified } from '../../support/receiver.ts';
import { type Runlet, startRunlet } from '../../support/runlet.ts';
import { servicesOf } from './support.ts';

const lab = inject('lab');
let runlet: Runlet;
let receiver: Receiver;
let api: ReturnType<typeof servicesOf>;

/** The secrets, by the path that is called. */
const secrets = new Map<string, string>();

beforeAll(async () => {
  await ensureImages(lab, ['nginx:1.22']);
  receiver = await startReceiver();
  runlet = await startRunlet(lab, {
    env: {
      RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8',
      RUNLET_WEBHOOK_SCHEDULE_MS: '200,200,200,200,200',
      RUNLET_MAX_MEMORY_BYTES: String(2 ** 31),
    },
  });
  await runlet.startNotifier();
  api = servicesOf(runlet, lab.dockerHost);
  for (const [path, events] of [
    ['/all', ['*']],
    ['/services', ['service.*']],
    ['/ready', ['service.ready']],
    ['/runs', ['run.finished']],
  ] as const) {
    const made = await api.call<Webhook & { secret: string }>('POST', '/v1/webhooks', {
      url: receiver.url + path,
      events,
    });
    secrets.set(path, made.secret);
  }
  // At each path, a delivery is refused the first time. It must come again unchanged.
  const tried = new Set<string>();
  receiver.answer(({ path, headers }, response) => {
    const first = `${path} ${headers['webhook-id']}`;
    response.writeHead(tried.has(first) ? 204 : 503).end();
    tried.add(first);
  });
}, 600_000);
afterAll(async () => {
  await api.removeAll();
  await receiver.stop();
  await runlet.stop();
});

type Told = {
  at: number;
  id: string;
  path: string;
  type: string;
  status: string;
  service: Service;
  body: string;
};

function read(one: Received): Told {
  const secret = secrets.get(one.path);
  if (secret === undefined) throw new Error(`nobody asked for ${one.path}`);
  const { type, timestamp, data } = payload.parse(verified(secret, one));
  const service = data as Service;
  return {
    at: Date.parse(timestamp),
    id: String(one.headers['webhook-id']),
    path: one.path,
    type,
    status: service.status,
    service,
    body: one.body,
  };
}

/** The deliveries about this service, each once, in the order of its events. */
function told(service: Service, path?: string): Told[] {
  const seen = new Map<string, Told>();
  for (const one of receiver.received.map(read))
    if (one.service.id === service.id && (path === undefined || one.path === path)) {
      const earlier = seen.get(`${one.path} ${one.id}`);
      // It comes again with exactly the same bytes.
      if (earlier !== undefined) expect(one.body).toBe(earlier.body);
      seen.set(`${one.path} ${one.id}`, earlier ?? one);
    }
  return [...seen.values()].sort((a, b) => a.at - b.at);
}

const typesAt = (service: Service, path: string) => told(service, path).map(({ type }) => type);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(50);
}

/** Starts a service with a webhook of its own. */
async function start(name: string, request: Record<string, unknown>): Promise<Service> {
  const path = `/own/${name}`;
  const secret = newWebhookSecret();
  secrets.set(path, secret);
  return api.start({ name, ...request, webhook: { url: receiver.url + path, secret } });
}

async function deliveriesOf(service: Service): Promise<Delivery[]> {
  const ids = new Set(told(service).map(({ id }) => id));
  const { data } = await api.call<{ data: Delivery[] }>('GET', '/v1/deliveries?limit=100');
  return data.filter(({ webhookId }) => ids.has(webhookId));
}

/** Checks that webhooks that want these events got exactly these, in this order, and that other webhooks did not. */
async function hears(service: Service, types: string[]): Promise<void> {
  const own = `/own/${service.name}`;
  const paths = [own, '/all', '/services'];
  await until(() => paths.every((path) => typesAt(service, path).length >= types.length));
  for (const path of paths) expect(typesAt(service, path), path).toEqual(types);
  const ready = types.filter((type) => type === 'service.ready');
  await until(() => typesAt(service, '/ready').length >= ready.length);
  expect(typesAt(service, '/ready')).toEqual(ready);
  expect(typesAt(service, '/runs')).toEqual([]);
  // The same event has the same id at every webhook, and different events have different ids.
  const ids = new Map<string, Set<string>>();
  for (const { id, body } of told(service)) ids.set(id, (ids.get(id) ?? new Set()).add(body));
  expect(ids.size).toBe(types.length);
  for (const bodies of ids.values()) expect(bodies.size).toBe(1);
  for (const { type, status } of told(service)) expect(type).toBe(`service.${status}`);
  while ((await deliveriesOf(service)).some(({ status }) => status !== 'delivered')) await sleep(50);
  expect(await deliveriesOf(service)).toHaveLength(types.length * 3 + ready.length);
}

const exit = (code: number) => ['sh', '-c', `echo what went wrong >&2; exit ${code}`];

test('a life: ready, idle, ready again, stopped, ready again, removed', async () => {
  const service = await start('life', { image: 'nginx:1.22', port: 80, keepAlive: 1_000 });
  expect(JSON.stringify(service)).not.toContain('whsec_');
  await api.until('life', ({ status }) => status === 'idle');
  expect((await api.fetch(service)).status).toBe(200);
  await api.act('life', 'keepalive', { forMs: 3_600_000 });
  await api.act('life', 'stop');
  await api.act('life', 'start');
  await api.remove('life');
  await hears(service, [
    'service.ready',
    'service.idle',
    'service.ready',
    'service.stopped',
    'service.ready',
    'service.removed',
  ]);
  const [ready, idle] = ['service.ready', 'service.idle'].map((wanted) =>
    told(service, '/all').find(({ type }) => type === wanted),
  );
  expect(ready?.service).toMatchObject({ id: service.id, name: 'life', url: service.url, error: null });
  expect(ready?.service.idleAt).not.toBeNull();
  expect(idle?.service.idleAt).toBeNull();
  // Deliveries do not contain anything secret.
  for (const { body } of told(service)) expect(body).not.toContain('whsec_');
});

test('one that crashes: told once that it loops, however often; and why', async () => {
  const service = await start('loops', { image: 'busybox', command: exit(3), port: 80 });
  await api.until('loops', ({ restarts }) => restarts >= 4);
  await api.remove('loops');
  await hears(service, ['service.crash_looping', 'service.removed']);
  const [looping] = told(service, '/all');
  expect(looping?.service).toMatchObject({ exitCode: 3, error: { code: 'service_crashed' } });
  expect(looping?.service.error?.detail).toContain('what went wrong');
});

test('one that cannot come up, one that is not to be restarted, one that has ended by itself', async () => {
  const none = await start('none', { image: 'no-such-image-here' });
  const failed = await start('failed', { image: 'busybox', command: exit(4), restart: 'never', port: 80 });
  const done = await start('done', { image: 'busybox', command: ['true'], port: 80 });
  expect([none.status, failed.status, done.status]).toEqual(['failed', 'failed', 'stopped']);
  for (const { id } of [none, failed, done]) await api.remove(id);
  await hears(none, ['service.failed', 'service.removed']);
  await hears(failed, ['service.failed', 'service.removed']);
  await hears(done, ['service.stopped', 'service.removed']);
  const why = (service: Service) => told(service, '/all')[0]?.service.error?.code;
  expect([why(none), why(failed), why(done)]).toEqual(['image_not_found', 'service_crashed', undefined]);
});

test('a secret that was made is shown once, and signs', async () => {
  const path = '/own/made';
  const service = await api.start({
    name: 'made',
    image: 'busybox',
    command: ['true'],
    webhook: { url: receiver.url + path },
  });
  const { secret } = (service.request as { webhook: { secret: string } }).webhook;
  secrets.set(path, secret);
  expect((await api.read('made')).request).toMatchObject({ webhook: { secret: '***' } });
  await api.remove('made');
  await until(() => typesAt(service, path).includes('service.removed'));
});
