import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Container, type Proxied, startContainer, startProxied } from './support.ts';

const MiB = 2 ** 20;
const block = Buffer.alloc(MiB, 'x');
const blocks = 300;
let on: Proxied;
let container: Container;
let child: ChildProcess;
let port: number;

beforeAll(async () => {
  container = await startContainer((incoming, outgoing) => {
    if (incoming.method === 'POST') incoming.resume().on('end', () => outgoing.end('taken'));
    else pour(outgoing).catch(() => {});
  });
  on = await startProxied();
  const { env } = on.gateway;
  child = fork(new URL('separate-gateway.ts', import.meta.url), {
    env: {
      PATH: process.env.PATH,
      RUNLET_REDIS_URL: env.RUNLET_REDIS_URL,
      RUNLET_REDIS_PREFIX: env.RUNLET_REDIS_PREFIX,
      RUNLET_SECRET_KEY: env.RUNLET_SECRET_KEY,
      RUNLET_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  ({ port } = JSON.parse(line.toString()) as { port: number });
});
afterAll(async () => {
  child.kill();
  await once(child, 'exit');
  await on.stop();
  await container.stop();
});

async function pour(into: NodeJS.WritableStream): Promise<void> {
  for (let i = 0; i < blocks; i += 1) if (!into.write(block)) await once(into, 'drain');
  into.end();
}

/** The most memory that the gateway has ever had. */
const peakMiB = () =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;

function open(host: string, method: string, headers: Record<string, string> = {}) {
  return request({ host: '127.0.0.1', port, method, agent: false, headers: { host, ...headers } });
}

test.each([
  ['the fast lane', {}],
  ['Node’s parser', { upgrade: 'something-else' }],
])('bodies of any size pass through a memory that stays flat, by %s', async (_, way) => {
  const { host } = await on.service({ at: container.port });
  const warm = open(host, 'POST', { ...way, 'content-length': String(MiB) });
  warm.end(block);
  await once(warm, 'response');
  const before = peakMiB();

  const down = open(host, 'GET', way);
  down.end();
  const [answer] = await once(down, 'response');
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += chunk.length;
    // Slower than the container.
    if (bytes % (8 * MiB) < chunk.length) await sleep(20);
  }
  expect(bytes).toBe(blocks * MiB);

  const up = open(host, 'POST', { ...way, 'content-length': String(blocks * MiB) });
  await pour(up);
  await once(up, 'response');

  // Far below what has passed; what is not yet collected is in it.
  expect(peakMiB() - before).toBeLessThan(100);
});
