import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ensureTools } from '../../../infra/parts/apt.ts';
import { silent } from '../../../infra/parts/say.ts';
import type { Service } from '../../../shared/contracts/service.ts';
import { docker } from '../../support/docker.ts';
import { ensureImages } from '../../support/lab-images.ts';
import { type Runlet, startRunlet } from '../../support/runlet.ts';
import { webSocket } from '../../support/web-socket.ts';
import { servicesOf } from './support.ts';

const lab = inject('lab');
const execute = promisify(execFile);
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;

beforeAll(async () => {
  await ensureImages(lab, ['nginx:1.22', 'mariadb:10.11', 'node:24-bookworm-slim']);
  runlet = await startRunlet(lab, { env: { RUNLET_MAX_MEMORY_BYTES: String(2 ** 31) } });
  api = servicesOf(runlet, lab.dockerHost);
}, 600_000);
afterAll(async () => {
  await api.removeAll('?volumes=true');
  await runlet.stop();
});

const sh = (script: string, more: Record<string, unknown> = {}) => ({
  image: 'busybox',
  command: ['sh', '-c', script],
  ...more,
});

describe('a web server', () => {
  test('of an unmodified image serves its page through the gateway, by path and by name', async () => {
    const service = await api.start({ name: 'web', image: 'nginx:1.22', port: 80 });
    expect(service).toMatchObject({
      name: 'web',
      status: 'ready',
      error: null,
      url: 'http://web.localhost:8080/',
      path: `/s/${service.id}/`,
      restarts: 0,
      image: { reference: 'nginx:1.22', digest: expect.stringMatching(/^sha256:/) },
    });
    const page = await api.fetch(service);
    expect([page.status, await page.text()]).toMatchObject([
      200,
      expect.stringContaining('Welcome to nginx!'),
    ]);
    const { port } = new URL(runlet.url);
    const { stdout } = await execute('curl', [
      ...[
        '-s',
        '--resolve',
        `web.localhost:${port}:127.0.0.1`,
        '-H',
        `Authorization: Bearer ${runlet.apiKey}`,
      ],
      `http://web.localhost:${port}/`,
    ]);
    expect(stdout).toContain('Welcome to nginx!');
    expect((await fetch(`${runlet.url}${service.path}`)).status).toBe(401);
    await api.remove('web');
    expect(await api.left(service)).toEqual([]);
    expect((await runlet.call('GET', '/v1/services/web')).status).toBe(404);
    // Its name can be used again at once.
    const next = await api.start({ name: 'web', image: 'nginx:1.22', port: 80 });
    expect(next.status).toBe('ready');
    await api.remove('web');
  });

  test('has the files that the request brought, and the image’s own beside them', async () => {
    const service = await api.start({
      image: 'nginx:1.22',
      port: 80,
      workdir: '/usr/share/nginx/html',
      files: [{ path: 'deep/hello.txt', content: 'brought' }],
    });
    expect(await (await api.fetch(service, 'deep/hello.txt')).text()).toBe('brought');
    expect(await (await api.fetch(service)).text()).toContain('Welcome to nginx!');
    await api.remove(service.id);
    expect(await api.left(service)).toEqual([]);
  });

  test('of Node’s streams, and speaks WebSocket', async () => {
    const program = `
const http = require('node:http'); const { createHash } = require('node:crypto');
const server = http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let n = 0;
  const timer = setInterval(() => { response.write('data: ' + (n++) + '\\n\\n'); if (n === 3) { clearInterval(timer); response.end(); } }, 100);
});
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  socket.on('data', (data) => { const length = data[1] & 127; const mask = data.subarray(2, 6); const text = Buffer.from(data.subarray(6, 6 + length).map((byte, i) => byte ^ mask[i % 4])); socket.write(Buffer.concat([Buffer.from([0x81, length]), text])); });
});
server.listen(3000);`;
    const service = await api.start({
      image: 'node:24-bookworm-slim',
      command: ['node', '-e', program],
      port: 3000,
    });
    expect(service).toMatchObject({ status: 'ready', error: null });
    const answer = await api.fetch(service);
    const chunks: string[] = [];
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>)
      chunks.push(Buffer.from(chunk).toString());
    expect(chunks.join('')).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\n');
    expect(chunks.length).toBeGreaterThan(1);
    const socket = webSocket(runlet, `${service.path}`);
    const echoed = new Promise<string>((resolve, reject) => {
      socket.on('open', () => socket.send('over the wall'));
      socket.on('message', (data: Buffer) => resolve(data.toString()));
      socket.on('error', reject);
    });
    expect(await echoed).toBe('over the wall');
    socket.close();
    await api.remove(service.id);
  });
});

test('a database keeps its rows over a stop, and its volume over the service', async () => {
  await ensureTools([{ names: ['mariadb'], packages: ['mariadb-client-core'] }], silent);
  const request = {
    name: 'db',
    image: 'mariadb:10.11',
    env: { MARIADB_ROOT_PASSWORD: 'not-a-secret', MARIADB_DATABASE: 'shop' },
    tcpPorts: [3306],
    volumes: [{ name: 'shop-data', path: '/var/lib/mysql' }],
    health: { timeoutMs: 120_000 },
  };
  const service = await api.start(request);
  expect(service).toMatchObject({
    status: 'ready',
    error: null,
    request: { env: { MARIADB_ROOT_PASSWORD: '***' } },
  });
  const sql = async (now: Service, text: string) => {
    const [port] = now.tcpPorts;
    const args = [
      '-h',
      port?.host ?? '',
      '-P',
      String(port?.hostPort),
      '-uroot',
      '-pnot-a-secret',
      '--skip-ssl',
      '-N',
      '-e',
      text,
      'shop',
    ];
    for (let attempt = 1; ; attempt += 1)
      try {
        return (await execute('mariadb', args)).stdout.trim();
      } catch (error) {
        // The port is open a moment before the database has its users.
        if (attempt >= 50) throw error;
        await sleep(200);
      }
  };
  await sql(
    service,
    'CREATE TABLE orders (id INT PRIMARY KEY, what TEXT); INSERT INTO orders VALUES (1, "kept")',
  );
  const stopped = await api.act('db', 'stop');
  expect(stopped).toMatchObject({ status: 'stopped', tcpPorts: [] });
  const again = await api.act('db', 'start');
  expect(again.status).toBe('ready');
  expect(await sql(again, 'SELECT what FROM orders')).toBe('kept');
  // The next service has another name, but the same volume.
  await api.remove('db');
  const { data } = await api.call<{ data: unknown[] }>('GET', '/v1/volumes');
  expect(data).toMatchObject([{ name: 'shop-data', services: [] }]);
  const heir = await api.start({ ...request, name: 'db2' });
  expect(await sql(heir, 'SELECT what FROM orders')).toBe('kept');
  expect((await runlet.call('DELETE', '/v1/volumes/shop-data')).status).toBe(409);
  await api.remove('db2', '?volumes=true');
  expect(await api.call('GET', '/v1/volumes')).toMatchObject({ data: [] });
  expect(await docker(lab.dockerHost, 'volume', 'ls', '-q', '--filter', 'name=shop-data')).toBe('');
}, 300_000);

describe('the idle clock', () => {
  test('stops what nobody calls, and a hundred requests at once wake it once', async () => {
    const service = await api.start({ name: 'sleepy', image: 'nginx:1.22', port: 80, keepAlive: 1_000 });
    const idle = await api.until('sleepy', ({ status }) => status === 'idle');
    expect(idle).toMatchObject({ error: null, tcpPorts: [] });
    expect(await docker(lab.dockerHost, 'inspect', '-f', '{{.State.Running}}', api.container(service))).toBe(
      'false',
    );
    const answers = await Promise.all(Array.from({ length: 100 }, () => api.fetch(service)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(
      await docker(
        lab.dockerHost,
        'inspect',
        '-f',
        '{{.RestartCount}} {{.State.Running}}',
        api.container(service),
      ),
    ).toBe('0 true');
    await api.remove('sleepy');
  });

  test('does not run out while it is called, and is begun anew by keepalive', async () => {
    const service = await api.start({ name: 'awake', image: 'nginx:1.22', port: 80, keepAlive: 2_000 });
    await api.act('awake', 'keepalive', { forMs: 3_600_000 });
    const later = await api.read('awake');
    expect(Date.parse(later.idleAt ?? '')).toBeGreaterThan(Date.now() + 3_500_000);
    expect(service.status).toBe('ready');
    await api.remove('awake');
  });

  test('can remove it', async () => {
    const service = await api.start({
      name: 'brief',
      image: 'nginx:1.22',
      port: 80,
      keepAlive: 1_000,
      onIdle: 'remove',
    });
    while ((await runlet.call('GET', '/v1/services/brief')).status !== 404) await sleep(100);
    expect(await api.left(service)).toEqual([]);
  });
});

describe('what goes wrong', () => {
  test('an image that crashes at once loops, more and more slowly, and says why', async () => {
    await api.start(sh('echo cannot find the moon >&2; exit 3', { name: 'crash', port: 80 }));
    const looping = await api.until('crash', ({ status }) => status === 'crash_looping');
    expect(looping).toMatchObject({ exitCode: 3, error: { code: 'service_crashed' } });
    expect(looping.error?.detail).toContain('cannot find the moon');
    expect(looping.restarts).toBeGreaterThanOrEqual(3);
    await api.remove('crash');
  });

  test('one that is never to be restarted has failed, or stopped', async () => {
    const failed = await api.start(sh('exit 4', { restart: 'never', port: 80 }));
    expect(failed).toMatchObject({ status: 'failed', exitCode: 4, error: { code: 'service_crashed' } });
    const stopped = await api.start(sh('exit 0', { restart: 'on-failure', port: 80 }));
    expect(stopped).toMatchObject({ status: 'stopped', exitCode: 0, error: null });
    for (const { id } of [failed, stopped]) await api.remove(id);
  });

  test('a port that never opens', async () => {
    const service = await api.start(sh('sleep 1000', { port: 81, health: { timeoutMs: 1_000 } }));
    expect(service).toMatchObject({ status: 'failed', error: { code: 'service_not_ready' } });
    expect(service.error?.detail).toContain('port 81');
    const answer = await api.fetch(service);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'application/problem+json']);
    await api.remove(service.id);
  });

  test('a container that is killed, or removed, by hand comes back', async () => {
    const service = await api.start({ name: 'tough', image: 'nginx:1.22', port: 80 });
    await docker(lab.dockerHost, 'kill', api.container(service));
    await api.until('tough', ({ status, restarts }) => status === 'ready' && restarts === 1);
    expect((await api.fetch(service)).status).toBe(200);
    await docker(lab.dockerHost, 'rm', '-f', api.container(service));
    while ((await api.fetch(service)).status !== 200) await sleep(100);
    await api.remove('tough');
  });

  test('an image that does not exist, a name that is taken, a bad request', async () => {
    const none = await api.start({ image: 'no-such-image-here', port: 80 });
    expect(none).toMatchObject({ status: 'failed', error: { code: 'image_not_found' } });
    await api.remove(none.id);
    await api.start(sh('sleep 1000', { name: 'taken' }));
    const twice = await runlet.call('POST', '/v1/services', sh('true', { name: 'taken' }));
    expect(twice.status).toBe(409);
    await api.remove('taken');
    const bad = await runlet.call('POST', '/v1/services', {
      image: 'busybox',
      name: 'Web',
      port: 0,
      volumes: [{ name: 'a', path: 'b' }],
    });
    const { errors } = (await bad.json()) as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path).sort()).toEqual(['name', 'port', 'volumes[0].path']);
  });
});

test('a service’s log is told, past and live', async () => {
  const talker = await api.start(sh('echo first; echo second >&2; sleep 1; echo third; sleep 1000'));
  const answer = await runlet.call('GET', `/v1/services/${talker.id}/logs?follow=true`);
  let text = '';
  for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    if (text.includes('third')) break;
  }
  expect(text).toMatch(/event: stdout\ndata: \{"type":"stdout","data":"first\\n"/);
  expect(text).toMatch(/event: stderr\ndata: \{"type":"stderr","data":"second\\n"/);
  const tail = await (await runlet.call('GET', `/v1/services/${talker.id}/logs?tail=1`)).text();
  expect(tail).not.toContain('first');
  expect(tail).toMatch(/event: end\ndata: \{"type":"end"/);
  await api.remove(talker.id);
});

test('a worker that is killed leaves its services running; the next one adopts them as they are', async () => {
  const service = await api.start({ name: 'lasting', image: 'nginx:1.22', port: 80 });
  const startedAt = await docker(
    lab.dockerHost,
    'inspect',
    '-f',
    '{{.State.StartedAt}}',
    api.container(service),
  );
  await runlet.workers.at(-1)?.stop('SIGKILL');
  expect((await api.fetch(service)).status).toBe(200);
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'heir' });
  const adopted = await api.until('lasting', ({ worker }) => worker !== service.worker);
  expect(adopted.status).toBe('ready');
  expect((await api.fetch(service)).status).toBe(200);
  expect(await docker(lab.dockerHost, 'inspect', '-f', '{{.State.StartedAt}}', api.container(service))).toBe(
    startedAt,
  );
  await runlet.gateway.stop('SIGKILL');
  await runlet.startGateway();
  expect((await api.fetch(service)).status).toBe(200);
  await api.remove('lasting');
  expect(await api.left(service)).toEqual([]);
});
