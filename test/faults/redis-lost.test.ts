import { setTimeout as sleep } from 'node:timers/promises';
import { GenericContainer, type StartedTestContainer } from 'testcontainers';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { docker } from '../support/docker.ts';
import { ensureLoaded } from '../support/lab-images.ts';
import { freePort } from '../support/ports.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { gone } from '../support/sandboxes.ts';

const lab = inject('lab');
let redis: StartedTestContainer;
let runlet: Runlet;

beforeAll(async () => {
  await ensureLoaded(lab, 'redis');
  process.env.DOCKER_HOST = lab.dockerHost;
  // The reaper's image may not be had where there is no public registry: this file removes what it starts.
  process.env.TESTCONTAINERS_RYUK_DISABLED = 'true';
  process.env.TESTCONTAINERS_HOST_OVERRIDE = '127.0.0.1';
  const port = await freePort();
  redis = await new GenericContainer('redis:7')
    .withCommand([
      'redis-server',
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
      '--save',
      '',
      '--protected-mode',
      'no',
    ])
    // The same port after a restart.
    .withExposedPorts({ container: 6379, host: port })
    .start();
  runlet = await startRunlet({ dockerHost: lab.dockerHost, redisUrl: `redis://127.0.0.1:${port}` });
});
afterAll(async () => {
  await runlet?.stop();
  await redis?.stop({ removeVolumes: true });
});

test('kill -9 of Redis: what was answered with a 2xx ends, once, and nothing hangs meanwhile', async () => {
  const posted = await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const response = await runlet.call('POST', '/v1/runs', {
        image: 'busybox',
        command: ['sh', '-c', `for i in 1 2 3; do echo ${i}-$i; sleep 1; done`],
        limits: { memoryBytes: 16_777_216, timeoutMs: 120_000 },
      });
      expect(response.status).toBe(202);
      return ((await response.json()) as Run).id;
    }),
  );
  await docker(lab.dockerHost, 'kill', '-s', 'KILL', redis.getId());
  const refused = await runlet.call('POST', '/v1/runs', { image: 'busybox' });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ code: 'store_unavailable' });
  expect((await runlet.call('GET', '/healthz')).status).toBe(200);
  expect((await runlet.call('GET', '/readyz')).status).toBe(503);
  await docker(lab.dockerHost, 'start', redis.getId());
  while ((await runlet.call('GET', '/readyz')).status !== 200) {
    await sleep(100);
  }
  for (const [index, id] of posted.entries()) {
    const ended = await runlet.ended(id);
    // The outage was shorter than the lock: no run is lost to it.
    expect(ended).toMatchObject({
      status: 'succeeded',
      stdout: [1, 2, 3].map((n) => `${index}-${n}\n`).join(''),
    });
    const events = await (await runlet.call('GET', `/v1/runs/${id}/events`)).text();
    expect(events.match(/^event: exit$/gm)).toHaveLength(1);
  }
  await gone(lab.dockerHost, posted);
});

test('every program stops by itself while Redis is away', async () => {
  const notifier = await runlet.startNotifier();
  await docker(lab.dockerHost, 'kill', '-s', 'KILL', redis.getId());
  const programs = { gateway: runlet.gateway, worker: runlet.workers[0], notifier };
  await Promise.all(Object.values(programs).map((program) => program?.stop()));
  const killed = Object.entries(programs).filter(([, program]) => program?.killed());
  await docker(lab.dockerHost, 'start', redis.getId());
  expect(killed.map(([name]) => name)).toEqual([]);
});
