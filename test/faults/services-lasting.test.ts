import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import type { Service } from '../../shared/contracts/service.ts';
import { docker } from '../support/docker.ts';
import { ensureImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { webSocket } from '../support/web-socket.ts';
import { servicesOf } from '../whole/services/support.ts';

const lab = inject('lab');
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;

beforeAll(async () => {
  await ensureImages(lab, ['nginx:1.22', 'node:24-bookworm-slim']);
  runlet = await startRunlet(lab, { env: { RUNLET_SERVICE_TIMEOUT_MS: '1000' } });
  api = servicesOf(runlet, lab.dockerHost);
}, 600_000);
afterAll(async () => {
  await api.removeAll('?volumes=true');
  await runlet.stop();
});

const startedAt = (service: Service) =>
  docker(lab.dockerHost, 'inspect', '-f', '{{.State.StartedAt}}', api.container(service));

test('a download goes on while the worker is killed and another comes; the container and its volume are as they were', async () => {
  const service = await api.start({
    name: 'mirror',
    image: 'nginx:1.22',
    port: 80,
    keepAlive: 'forever',
    volumes: [{ name: 'mirror-data', path: '/data' }],
    workdir: '/srv',
    // Some forty seconds, whatever the machine can do.
    files: [
      {
        path: 'nginx.conf',
        content: 'events {} http { server { listen 80; root /data; location /big { limit_rate 5m; } } }',
      },
    ],
    command: [
      ...['sh', '-c'],
      'cd /data; head -c 209715200 /dev/urandom > big; sha256sum big > sum; exec nginx -c /srv/nginx.conf -g "daemon off;"',
    ],
    health: { timeoutMs: 120_000 },
  });
  expect(service).toMatchObject({ status: 'ready', error: null });
  const since = await startedAt(service);
  const [sum = ''] = (await (await api.fetch(service, 'sum')).text()).split(' ');
  expect(sum).toMatch(/^[0-9a-f]{64}$/);

  const answer = await api.fetch(service, 'big');
  const hash = createHash('sha256');
  let bytes = 0;
  let ended = false;
  const download = (async () => {
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
    ended = true;
  })();
  while (bytes < 10_000_000 && !ended) await sleep(20);
  await runlet.workers.at(-1)?.stop('SIGKILL');
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'heir' });
  await vi.waitFor(async () => expect((await api.fetch(service, 'sum')).status).toBe(200), {
    timeout: 60_000,
  });
  const adopted = await api.until('mirror', ({ worker }) => worker !== service.worker);
  expect(adopted.status).toBe('ready');
  expect(ended).toBe(false);
  await download;
  expect([bytes, hash.digest('hex')]).toEqual([209_715_200, sum]);
  expect(await startedAt(service)).toBe(since);
  expect(await (await api.fetch(service, 'sum')).text()).toContain(sum);
  await api.remove('mirror', '?volumes=true');
  expect(await api.left(service)).toEqual([]);
}, 240_000);

const echo = `
const http = require('node:http'); const { createHash } = require('node:crypto');
const server = http.createServer((request, response) => response.end('here'));
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  socket.on('data', (data) => { const length = data[1] & 127; const mask = data.subarray(2, 6); const text = Buffer.from(data.subarray(6, 6 + length).map((byte, i) => byte ^ mask[i % 4])); socket.write(Buffer.concat([Buffer.from([(data[0] & 0xf0) | ((data[0] & 15) === 9 ? 10 : data[0] & 15), length]), text])); if ((data[0] & 15) === 8) socket.end(); });
});
server.listen(3000);`;

test('a WebSocket that is silent for longer than every limit stays open, and its service awake', async () => {
  const service = await api.start({
    name: 'echo',
    image: 'node:24-bookworm-slim',
    command: ['node', '-e', echo],
    port: 3000,
    keepAlive: 1_000,
  });
  const since = await startedAt(service);
  const socket = webSocket(runlet, `${service.path}`);
  const heard: string[] = [];
  let closed = false;
  socket.on('close', () => {
    closed = true;
  });
  socket.on('message', (data: Buffer) => heard.push(data.toString()));
  socket.on('pong', (data) => heard.push(`pong ${data.toString()}`));
  await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const says = async (expected: string) => {
    while (!heard.includes(expected) && !closed) await sleep(20);
    expect(heard).toContain(expected);
  };
  // The service's idle time is 1 s and some slack, the gateway's patience with an answer 1 s, with a connection 4 and 10 s.
  for (const pause of [4_000, 12_000]) {
    await sleep(pause);
    socket.ping(String(pause));
    await says(`pong ${pause}`);
    socket.send(`after ${pause}`);
    await says(`after ${pause}`);
  }
  expect(await api.read('echo')).toMatchObject({ status: 'ready' });
  expect(await startedAt(service)).toBe(since);
  socket.close();
  // Once nobody is there any more its clock runs out.
  await api.until('echo', ({ status }) => status === 'idle');
  await api.remove('echo');
}, 120_000);
