import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { WebSocket } from 'ws';
import { waitUntil } from '../../infra/parts/pids.ts';
import { freePort } from '../../infra/parts/ports.ts';
import type { Service } from '../../shared/contracts/service.ts';
import { createAuthority } from '../notifier/support/certificates.ts';
import { docker } from '../support/docker.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { servicesOf } from '../whole/services/support.ts';
import { blocks, pages } from './pages.ts';

// The page's nginx stands before a Runlet that was told what the page says.

const lab = inject('lab');
const page = pages.get('infra/docs/TLS.md') ?? '';
const folder = mkdtempSync(join(tmpdir(), 'runlet-tls-'));
const container = `runlet-test-nginx-${process.pid}`;
const agent = new Agent({ connect: { rejectUnauthorized: false } });
let runlet: Runlet;
let port: number;
let services: ReturnType<typeof servicesOf>;

beforeAll(async () => {
  for (const name of ['nginx', 'busybox']) await ensureLoaded(lab, name);
  const [start = ''] = blocks(page, 'sh');
  const env = Object.fromEntries([...start.matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name, value]));
  expect(Object.keys(env)).toHaveLength(3);
  runlet = await startRunlet(lab, { env });
  services = servicesOf(runlet, lab.dockerHost);
  port = await freePort('127.0.0.1');
  await startNginx();
}, 600_000);
afterAll(async () => {
  await docker(lab.dockerHost, 'rm', '-f', container);
  await agent.close();
  await services.removeAll();
  await runlet.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function startNginx(): Promise<void> {
  const { key, cert } = createAuthority(folder).issue('runlet.example.com', false);
  const [shown = ''] = blocks(page, 'nginx');
  const here = shown
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace('http://127.0.0.1:8080', runlet.url)
    .replaceAll('/etc/nginx/runlet.', '/runlet.');
  const files = { 'runlet.conf': `events {}\nhttp {\n${here}\n}\n`, 'runlet.pem': cert, 'runlet.key': key };
  const words = ['nginx', '-c', '/runlet.conf', '-g', 'daemon off; error_log /dev/stderr;'];
  await docker(lab.dockerHost, 'create', '--name', container, '--network=host', 'nginx', ...words);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content);
    await docker(lab.dockerHost, 'cp', join(folder, name), `${container}:/${name}`);
  }
  await docker(lab.dockerHost, 'start', container);
  const answers = async () => (await call('GET', '/healthz').catch(() => undefined))?.statusCode === 200;
  if (!(await waitUntil(answers, 60_000))) throw new Error(await docker(lab.dockerHost, 'logs', container));
}

const call = (method: 'GET' | 'POST', path: string, host = 'runlet.example.com', body?: object) =>
  request(`https://127.0.0.1:${port}${path}`, {
    ...{ method, dispatcher: agent },
    headers: { host, authorization: `Bearer ${runlet.apiKey}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });

async function startRun(asked: object): Promise<string> {
  const { statusCode, body } = await call('POST', '/v1/runs', undefined, asked);
  expect(statusCode).toBe(202);
  return ((await body.json()) as { id: string }).id;
}

test('events come as they happen', async () => {
  const command = ['sh', '-c', 'echo first; sleep 600'];
  const id = await startRun({ image: 'busybox', command, limits: { timeoutMs: 600_000 } });
  const { body } = await call('GET', `/v1/runs/${id}/events`);
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    // The program has not ended.
    if (text.includes('first')) break;
  }
  expect(text).toContain('event: stdout');
  await call('POST', `/v1/runs/${id}/cancel`);
});

test('a WebSocket passes, both ways', async () => {
  const id = await startRun({ image: 'busybox', command: ['cat'], interactive: true });
  const socket = new WebSocket(`wss://127.0.0.1:${port}/v1/runs/${id}/attach`, {
    rejectUnauthorized: false,
    headers: { host: 'runlet.example.com', authorization: `Bearer ${runlet.apiKey}` },
  });
  let text = '';
  socket.on('message', (data) => {
    text += String(data);
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'stdin', data: 'over and back\n' }));
  await expect.poll(() => text).toContain('over and back');
  socket.send(JSON.stringify({ type: 'eof' }));
  await once(socket, 'close');
  expect(text).toContain('"exit"');
});

test('a service is reached by its name, and told of the client and of the proxy', async () => {
  const tell =
    '#!/bin/sh\necho; echo "$HTTP_X_FORWARDED_PROTO $HTTP_X_FORWARDED_HOST $HTTP_X_FORWARDED_FOR"\n';
  const service: Service = await services.start({
    name: 'web',
    image: 'busybox',
    command: ['httpd', '-f', '-p', '8000', '-h', '/work'],
    workdir: '/work',
    files: [{ path: 'cgi-bin/told', content: tell, mode: '0755' }],
    port: 8000,
    public: true,
  });
  expect(service.url).toBe('https://web.apps.example.com/');
  const { body } = await call('GET', '/cgi-bin/told', 'web.apps.example.com');
  expect((await body.text()).trim()).toBe('https web.apps.example.com 127.0.0.1, 127.0.0.1');
});
