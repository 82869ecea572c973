import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Service } from '../../../shared/contracts/service.ts';
import { keysFor } from '../../../shared/keys.ts';
import { ensureImages } from '../../support/lab-images.ts';
import { monitorRedis } from '../../support/monitor.ts';
import { type Runlet, startRunlet } from '../../support/runlet.ts';
import { servicesOf } from './support.ts';

const lab = inject('lab');
const MiB = 2 ** 20;
let runlet: Runlet;
let api: ReturnType<typeof servicesOf>;

beforeAll(async () => {
  await ensureImages(lab, ['nginx:1.22']);
  runlet = await startRunlet(lab, { env: { RUNLET_WORKER_MEMORY_BYTES: String(100 * MiB) } });
  api = servicesOf(runlet, lab.dockerHost);
}, 600_000);
afterAll(async () => {
  await api.removeAll();
  await runlet.stop();
});

test('a service without room is looked at now and then, and starts when there is room', async () => {
  const request = { image: 'nginx:1.22', port: 80, limits: { memoryBytes: 64 * MiB } };
  const first = await api.start({ ...request, name: 'first' });
  expect(first).toMatchObject({ status: 'ready', error: null });
  const second = await api.call<Service>('POST', '/v1/services', { ...request, name: 'second' });
  const waiting = await api.until('second', ({ error }) => error?.code === 'insufficient_capacity');
  expect(waiting.status).toBe('starting');

  expect(await readsOf(second.id, 3_000)).toBeLessThan(15);

  await api.remove('first');
  const started = await api.until('second', ({ status }) => status === 'ready');
  expect(started.error).toBeNull();
});

/** How often the service's record was read from Redis in this time. */
async function readsOf(service: string, ms: number): Promise<number> {
  const key = keysFor(runlet.prefix).service(service);
  let reads = 0;
  const monitor = await monitorRedis(lab.redisUrl, ([command, of]) => {
    if (command?.toLowerCase() === 'hmget' && of === key) reads += 1;
  });
  await sleep(ms);
  monitor.stop();
  return reads;
}
