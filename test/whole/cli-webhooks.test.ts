import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import type { Delivery, Webhook } from '../../shared/contracts/webhook.ts';
import { type Receiver, startReceiver, verified } from '../support/receiver.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

const lab = inject('lab');
const wrapper = new URL('../../infra/bin/runlet', import.meta.url).pathname;
let runlet: Runlet;
let receiver: Receiver;

beforeAll(async () => {
  runlet = await startRunlet(lab, {
    env: { RUNLET_WEBHOOK_ALLOW: '127.0.0.0/8', RUNLET_WEBHOOK_SCHEDULE_MS: '200,300' },
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

type Ended = { code: number | null; stdout: string; stderr: string };

function start(...args: string[]) {
  const child = spawn(wrapper, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, RUNLET_URL: runlet.url, RUNLET_API_KEY: runlet.apiKey, NO_COLOR: '1' },
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (data: Buffer) => {
      said[name] += data.toString('utf8');
    });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code) => resolve({ code, ...said }));
  });
  const saw = async (name: 'stdout' | 'stderr', text: string) => {
    while (!said[name].includes(text)) await sleep(20);
    return said[name];
  };
  return { child, ended, saw };
}
const cli = (...args: string[]) => start(...args).ended;
const webhooks = (...args: string[]) => cli('webhooks', ...args);

async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await webhooks(...args, '--json');
  if (code !== 0) throw new Error(`webhooks ${args.join(' ')}: ${code} ${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
}

async function nth(count: number) {
  const one = (await receiver.came(count))[count - 1];
  if (one === undefined) throw new Error('nothing came');
  return one;
}

async function settled(runId: string): Promise<Delivery> {
  for (;;) {
    const [one] = (await json<{ data: Delivery[] }>('deliveries', '--run', runId)).data;
    if (one !== undefined && one.status !== 'pending') return one;
  }
}

test('an endpoint from add to rm: it gets a run, a new secret, a test, and what had failed', async () => {
  const added = await webhooks('add', `${receiver.url}/hook`);
  expect(added.code).toBe(0);
  const [, id = ''] = /^id +(whk_[0-9a-f]{32})$/m.exec(added.stdout) ?? [];
  const [, secret = ''] = /^secret +(whsec_\S+)$/m.exec(added.stdout) ?? [];
  const run = await cli('run', '--json', 'hello-world');
  const { id: runId } = JSON.parse(run.stdout) as { id: string };
  expect(verified(secret, await nth(1))).toMatchObject({
    type: 'run.finished',
    data: { id: runId, stdout: expect.stringContaining('Hello from Docker!') },
  });
  const delivery = await settled(runId);
  expect(delivery).toMatchObject({ endpoint: id, status: 'delivered', attempts: [{ statusCode: 204 }] });
  const listed = await webhooks('deliveries', '--endpoint', id);
  expect(listed.stdout).toMatch(new RegExp(`${delivery.id} +run.finished +${id} +delivered +1 +204 `));

  const rotated = await json<Webhook & { secret: string }>('rotate', id);
  const tested = await webhooks('test', id);
  expect(tested).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/1\. \S+ {2}204 in .*\ndelivered\n$/),
  });
  const two = await nth(2);
  for (const known of [secret, rotated.secret])
    expect(verified(known, two)).toMatchObject({ type: 'webhook.test', data: { id } });

  receiver.answer((_, response) => response.writeHead(503).end('closed'));
  const failed = await webhooks('test', id);
  expect(failed.code).toBe(1);
  expect(failed.stdout).toMatch(/1\. .*\n {3}“closed”\n2\. .*\n.*\n3\. .*\n.*\nfailed\n$/);
  expect((await webhooks('ls')).stdout).toMatch(new RegExp(`${id} .* disabled \\(failing\\)`));
  receiver.answer((_, response) => response.writeHead(204).end());
  expect((await webhooks('enable', id)).code).toBe(0);
  const again = await json('redeliver', '--failed', '--since', '10m', '--endpoint', id);
  expect(again).toEqual({ count: 1, complete: true });
  expect((await nth(6)).headers['webhook-id']).toBe((await nth(3)).headers['webhook-id']);

  expect((await webhooks('update', id, `${receiver.url}/moved`)).code).toBe(0);
  expect((await webhooks('redeliver', delivery.id)).code).toBe(0);
  expect((await nth(7)).path).toBe('/moved');
  expect(await webhooks('rm', id)).toMatchObject({ code: 0, stdout: `${id}\n` });
  expect(await json('ls')).toEqual({ data: [], nextCursor: null });
});

test('a run’s own webhook, with the secret that is printed', async () => {
  const detached = await cli('run', '--detach', '--webhook', receiver.url, 'hello-world');
  const secret = /whsec_[A-Za-z0-9+/=]+/.exec(detached.stderr)?.[0] ?? '';
  const runId = detached.stdout.trim();
  expect(verified(secret, await nth(1))).toMatchObject({ data: { id: runId, status: 'succeeded' } });
  const delivery = await settled(runId);
  expect((await webhooks('deliveries', delivery.id)).stdout).toContain(`${runId} (its own)`);
});

test('listen --forward brings events to a receiver that nobody else could reach, over a restart too', async () => {
  const listening = start('webhooks', 'listen', '--forward', `${receiver.url}/local`);
  const said = await listening.saw('stderr', 'Listening');
  const secret = /whsec_[A-Za-z0-9+/=]+/.exec(said)?.[0] ?? '';
  const first = await runlet.run({ image: 'hello-world' });
  const one = await nth(1);
  expect(one.path).toBe('/local');
  expect(verified(secret, one)).toMatchObject({ type: 'run.finished', data: { id: first.id } });
  await listening.saw('stdout', '→ 204 in ');

  await runlet.gateway.stop();
  await runlet.startGateway();
  const second = await runlet.run({ image: 'busybox', command: ['sh', '-c', 'exit 3'] });
  expect(verified(secret, await nth(2))).toMatchObject({ data: { id: second.id, status: 'failed' } });
  await listening.saw('stdout', second.id);
  listening.child.kill('SIGINT');
  const { code, stdout } = await listening.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^\\S+  run.finished  ${first.id}  succeeded\n  → 204 in .*\n`));
});
