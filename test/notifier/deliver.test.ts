import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { payload } from '../../services/gateway/webhooks/payload.ts';
import type { Run } from '../../shared/contracts/run.ts';
import type { Delivery, Webhook } from '../../shared/contracts/webhook.ts';
import { type Receiver, startReceiver, verified } from '../support/receiver.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

const lab = inject('lab');
let runlet: Runlet;
let receiver: Receiver;

beforeAll(async () => {
  runlet = await startRunlet(lab, {
    env: {
      RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8',
      RUNLET_WEBHOOK_SCHEDULE_MS: '200,300,400',
      RUNLET_PUBLIC_URL: 'https://runlet.example',
    },
  });
  await runlet.startNotifier();
  receiver = await startReceiver();
});
afterEach(() => {
  receiver.received.length = 0;
  receiver.answer((_, response) => response.writeHead(204).end());
});
afterAll(async () => {
  await receiver.stop();
  await runlet.stop();
});

const secret = () => `whsec_${randomBytes(32).toString('base64')}`;
const hello = { image: 'busybox', command: ['echo', 'hi'] };

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await runlet.call(method, path, body);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

const register = (path: string, events = ['run.finished']) =>
  call<Webhook & { secret: string }>('POST', '/v1/webhooks', { url: `${receiver.url}${path}`, events });

const remove = ({ id }: Webhook) => call('DELETE', `/v1/webhooks/${id}`);

async function settled(query: string): Promise<Delivery> {
  for (;;) {
    const { data } = await call<{ data: Delivery[] }>('GET', `/v1/deliveries?${query}`);
    const [one] = data;
    if (one !== undefined && one.status !== 'pending') return one;
    await sleep(50);
  }
}

describe('a run’s own webhook', () => {
  test('gets the finished run, signed with the secret that the run named', async () => {
    const own = secret();
    const run = await runlet.run({ ...hello, webhook: { url: `${receiver.url}/own?token=1`, secret: own } });
    const [one] = await receiver.came(1);
    if (one === undefined) throw new Error('nothing came');
    expect(one.path).toBe('/own?token=1');
    expect(one.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': expect.stringMatching(/^evt_[0-9a-f]{32}$/),
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
      'webhook-signature': expect.stringMatching(/^v1,[A-Za-z0-9+/]+=*$/),
    });
    const said = payload.parse(verified(own, one));
    expect(said).toMatchObject({
      type: 'run.finished',
      timestamp: run.finishedAt,
      data: {
        id: run.id,
        status: 'succeeded',
        stdout: 'hi\n',
        url: `https://runlet.example/v1/runs/${run.id}`,
        cutFields: [],
      },
    });
    expect(one.body).not.toContain(own);
    expect(JSON.stringify(run)).not.toContain(own);
    const delivery = await settled(`run=${run.id}`);
    expect(delivery).toMatchObject({
      status: 'delivered',
      endpoint: null,
      webhookId: one.headers['webhook-id'],
      attempts: [{ statusCode: 204, error: null, response: null }],
      nextAttemptAt: null,
    });
  });

  test('that is forged, altered or old is told apart by the published library', async () => {
    const own = secret();
    await runlet.run({ ...hello, webhook: { url: receiver.url, secret: own } });
    const [one] = await receiver.came(1);
    if (one === undefined) throw new Error('nothing came');
    expect(() => verified(own, one)).not.toThrow();
    expect(() => verified(secret(), one)).toThrow(/signature/i);
    expect(() => verified(own, { ...one, body: one.body.replace('succeeded', 'Succeeded') })).toThrow(
      /signature/i,
    );
    const old = String(Math.floor(Date.now() / 1000) - 3_600);
    expect(() => verified(own, { ...one, headers: { ...one.headers, 'webhook-timestamp': old } })).toThrow(
      /old/,
    );
  });

  test('without a secret gets one, which is shown in the first answer and never again', async () => {
    const key = { 'idempotency-key': randomBytes(8).toString('hex') };
    const request = { ...hello, webhook: { url: receiver.url } };
    const first = (await (await runlet.call('POST', '/v1/runs', request, key)).json()) as Run;
    const made = (first.request.webhook as { secret: string }).secret;
    const [one] = await receiver.came(1);
    expect(verified(made, one ?? { headers: {}, body: '' })).toMatchObject({ data: { id: first.id } });
    const again = await runlet.call('POST', '/v1/runs', request, key);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await again.json()).toMatchObject({ id: first.id, request: { webhook: { secret: '***' } } });
    expect(await call('GET', `/v1/runs/${first.id}`)).toMatchObject({
      request: { webhook: { secret: '***' } },
    });
  });

  test('is called for every way in which a run may end', async () => {
    const own = secret();
    const webhook = { url: receiver.url, secret: own };
    await runlet.run({ image: 'no-such-image-here', pull: 'never', webhook });
    const late = await call<Run>('POST', '/v1/runs', { ...hello, delayMs: 60_000, webhook });
    await call('POST', `/v1/runs/${late.id}/cancel`);
    const all = await receiver.came(2);
    const statuses = all.map((one) => (verified(own, one) as { data: Run }).data.status);
    expect(statuses.sort()).toEqual(['cancelled', 'errored']);
  });

  test('has large output cut, and says so and where all of it is', async () => {
    const own = secret();
    const run = await runlet.run({
      image: 'busybox',
      command: ['sh', '-c', 'head -c 100000 /dev/zero | tr "\\0" x; echo short >&2'],
      files: [{ path: 'large', content: 'y'.repeat(50_000) }],
      webhook: { url: receiver.url, secret: own },
    });
    expect(run.stdout).toHaveLength(100_000);
    const [one] = await receiver.came(1);
    const { data } = payload.parse(verified(own, one ?? { headers: {}, body: '' })) as {
      data: Run & { cutFields: string[] };
    };
    expect(data).toMatchObject({
      stdout: 'x'.repeat(16_384),
      stderr: 'short\n',
      outputTruncated: true,
      cutFields: ['stdout', 'stderr', 'steps', 'request.files'],
      request: { files: [{ path: 'large', content: '' }] },
    });
    expect(run.outputTruncated).toBe(false);
    expect(one?.body.length).toBeLessThan(100_000);
  });

  test('is sent although the run was forgotten at once', async () => {
    const own = secret();
    const run = await runlet.run({ ...hello, webhook: { url: receiver.url, secret: own } });
    await call('DELETE', `/v1/runs/${run.id}`);
    const [one] = await receiver.came(1);
    expect(verified(own, one ?? { headers: {}, body: '' })).toMatchObject({
      data: { id: run.id, stdout: 'hi\n' },
    });
    expect((await runlet.call('GET', `/v1/runs/${run.id}`)).status).toBe(404);
  });
});

describe('a registered endpoint', () => {
  test('gets what it subscribed to, beside others and under the same id', async () => {
    const [a, b, other] = [
      await register('/a'),
      await register('/b', ['*']),
      await register('/c', ['service.*']),
    ];
    const run = await runlet.run(hello);
    const [[one], [two]] = [await receiver.came(1, '/a'), await receiver.came(1, '/b')];
    if (one === undefined || two === undefined) throw new Error('nothing came');
    expect(verified(a.secret, one)).toMatchObject({ data: { id: run.id } });
    expect(verified(b.secret, two)).toMatchObject({ data: { id: run.id } });
    expect(() => verified(a.secret, two)).toThrow();
    expect(one.headers['webhook-id']).toBe(two.headers['webhook-id']);
    expect((await settled(`endpoint=${a.id}`)).endpoint).toBe(a.id);
    expect(await call('GET', `/v1/deliveries?endpoint=${other.id}`)).toMatchObject({ data: [] });
    for (const webhook of [a, b, other]) await remove(webhook);
    expect(receiver.received).toHaveLength(2);
  });

  test('that fails twice gets three tries of the same message, each signed anew', async () => {
    const webhook = await register('/flaky');
    let tries = 0;
    receiver.answer((_, response) => {
      tries += 1;
      response.writeHead(tries < 3 ? 500 : 200).end(tries < 3 ? 'not\x1b[31m yet' : 'thanks');
    });
    await runlet.run(hello);
    const all = await receiver.came(3);
    const delivery = await settled(`endpoint=${webhook.id}`);
    expect(new Set(all.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([delivery.webhookId]));
    expect(new Set(all.map(({ body }) => body)).size).toBe(1);
    for (const one of all) expect(() => verified(webhook.secret, one)).not.toThrow();
    expect(delivery).toMatchObject({
      status: 'delivered',
      attempts: [
        { statusCode: 500, error: { code: 'status' }, response: 'not.[31m yet' },
        { statusCode: 500 },
        { statusCode: 200, error: null, response: 'thanks' },
      ],
    });
    await remove(webhook);
  });

  test('is disabled after the last try of a delivery, and its owner hears of it', async () => {
    const watcher = await register('/watch', ['webhook.disabled']);
    const webhook = await register('/dead');
    receiver.answer((one, response) => response.writeHead(one.path === '/dead' ? 503 : 200).end());
    await runlet.run(hello);
    const [event] = await receiver.came(1, '/watch');
    expect(verified(watcher.secret, event ?? { headers: {}, body: '' })).toMatchObject({
      type: 'webhook.disabled',
      data: { id: webhook.id, enabled: false, disabledReason: 'failing' },
    });
    expect(await receiver.came(4, '/dead')).toHaveLength(4);
    expect(await settled(`endpoint=${webhook.id}`)).toMatchObject({ status: 'failed' });
    await runlet.run(hello);
    // Enabled again, it gets what is new, and what had failed when that is asked for.
    receiver.answer((_, response) => response.writeHead(200).end());
    await call('PATCH', `/v1/webhooks/${webhook.id}`, { enabled: true });
    const since = new Date(Date.now() - 60_000).toISOString();
    expect(await call('POST', '/v1/deliveries/redeliver', { since, endpoint: webhook.id })).toEqual({
      count: 1,
      complete: true,
    });
    const [, , , , fifth] = await receiver.came(5, '/dead');
    expect(fifth?.headers['webhook-id']).toBe(
      receiver.received.find(({ path }) => path === '/dead')?.headers['webhook-id'],
    );
    expect(await settled(`endpoint=${webhook.id}`)).toMatchObject({ status: 'delivered' });
    for (const one of [watcher, webhook]) await remove(one);
  });

  test('that answers 410 is disabled at once', async () => {
    const webhook = await register('/gone');
    receiver.answer((_, response) => response.writeHead(410).end());
    await runlet.run(hello);
    expect(await settled(`endpoint=${webhook.id}`)).toMatchObject({
      status: 'failed',
      attempts: [{ statusCode: 410 }],
    });
    expect(await call('GET', `/v1/webhooks/${webhook.id}`)).toMatchObject({
      enabled: false,
      disabledReason: 'gone',
    });
    await remove(webhook);
  });

  test('signs with the old secret too after a rotation', async () => {
    const webhook = await register('/rotated');
    const rotated = await call<{ secret: string; secretExpiresAt: string }>(
      'POST',
      `/v1/webhooks/${webhook.id}/rotate`,
    );
    expect(rotated.secret).not.toBe(webhook.secret);
    expect(Date.parse(rotated.secretExpiresAt) - Date.now()).toBeGreaterThan(23 * 3_600_000);
    await runlet.run(hello);
    const [one] = await receiver.came(1);
    if (one === undefined) throw new Error('nothing came');
    expect(() => verified(webhook.secret, one)).not.toThrow();
    expect(() => verified(rotated.secret, one)).not.toThrow();
    await remove(webhook);
  });

  test('can be tested, and a delivery sent again by hand', async () => {
    const webhook = await register('/test', ['service.*']);
    const begun = await call<Delivery>('POST', `/v1/webhooks/${webhook.id}/test`);
    expect(begun).toMatchObject({ type: 'webhook.test', status: 'pending', endpoint: webhook.id });
    const [one] = await receiver.came(1);
    expect(verified(webhook.secret, one ?? { headers: {}, body: '' })).toMatchObject({
      type: 'webhook.test',
      data: { id: webhook.id },
    });
    await settled(`endpoint=${webhook.id}`);
    await call('POST', `/v1/deliveries/${begun.id}/redeliver`);
    const [, two] = await receiver.came(2);
    expect(two?.headers['webhook-id']).toBe(one?.headers['webhook-id']);
    await settled(`endpoint=${webhook.id}`);
    expect(await call<Delivery>('GET', `/v1/deliveries/${begun.id}`)).toMatchObject({
      status: 'delivered',
      attempts: [{}, {}],
    });
    await remove(webhook);
  });

  test('that asks for patience by Retry-After gets it', async () => {
    const webhook = await register('/later');
    receiver.answer((_, response) =>
      receiver.received.length === 1
        ? response.writeHead(429, { 'retry-after': '2' }).end()
        : response.writeHead(200).end(),
    );
    await runlet.run(hello);
    const [first, second] = await receiver.came(2);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_950);
    await settled(`endpoint=${webhook.id}`);
    await remove(webhook);
  });

  test('that is deleted or disabled meanwhile is not called again', async () => {
    const webhook = await register('/leaving');
    receiver.answer((_, response) => response.writeHead(500, { 'retry-after': '1' }).end());
    const run = await runlet.run(hello);
    await receiver.came(1);
    await remove(webhook);
    expect(await settled(`run=${run.id}`)).toMatchObject({
      status: 'failed',
      attempts: [{ statusCode: 500 }, { statusCode: null, error: { code: 'endpoint_deleted' } }],
    });
    expect(receiver.received).toHaveLength(1);
  });
});
