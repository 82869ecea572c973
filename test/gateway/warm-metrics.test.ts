import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Worker } from '../../shared/contracts/worker.ts';
import { runOf, startGateway, type TestGateway } from './support.ts';
import { actAsWorker } from './worker.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway();
});
afterAll(() => on.stop());
beforeEach(async () => {
  for (const worker of await on.gateway.workers.list()) await on.gateway.workers.leave(worker.id);
});

/** The lines of one metric, its help and type apart. */
async function lines(name: string): Promise<string[]> {
  const text = await (await on.call('GET', '/metrics')).text();
  return text.split('\n').filter((line) => line.startsWith(name));
}

/** What `/v1/workers` says that wait, by worker. */
async function listed(): Promise<Record<string, Worker['warm']>> {
  const { data } = (await (await on.call('GET', '/v1/workers')).json()) as { data: Worker[] };
  return Object.fromEntries(data.map(({ id, warm }) => [id, warm]));
}

const waiting = (image: string, count: number, more: Partial<Worker['warm'][number]> = {}) => ({
  image,
  isolation: 'container',
  network: 'none',
  count,
  ...more,
});

const sample = (worker: string, image: string, isolation: string, count: number) =>
  `runlet_worker_warm_sandboxes{worker="${worker}",image="${image}",isolation="${isolation}"} ${count}`;

test('sandboxes that wait are told by worker, image and isolation, as the list of workers has them', async () => {
  const [a, b, idle] = [actAsWorker(on), actAsWorker(on), actAsWorker(on)];
  const ofA = [
    waiting('busybox:latest', 3),
    waiting('busybox:latest', 2, { isolation: 'gvisor' }),
    waiting('debian:13', 1),
  ];
  const ofB = [waiting('busybox:latest', 7)];
  await a.beat({ warm: ofA });
  await b.beat({ warm: ofB });
  await idle.beat();
  expect(await listed()).toEqual({ [a.id]: ofA, [b.id]: ofB, [idle.id]: [] });
  const expected = [
    sample(a.id, 'busybox:latest', 'container', 3),
    sample(a.id, 'busybox:latest', 'gvisor', 2),
    sample(a.id, 'debian:13', 'container', 1),
    sample(b.id, 'busybox:latest', 'container', 7),
  ];
  expect((await lines('runlet_worker_warm_sandboxes')).sort()).toEqual(expected.sort());
});

test('those that differ in nothing that is a label (their limits, an image’s older self) are one number', async () => {
  const worker = actAsWorker(on);
  await worker.beat({ warm: [waiting('busybox:latest', 2), waiting('busybox:latest', 5)] });
  expect(await lines('runlet_worker_warm_sandboxes')).toEqual([
    sample(worker.id, 'busybox:latest', 'container', 7),
  ]);
});

test('what waits no more, and whose worker left, is not told', async () => {
  const [stays, leaves] = [actAsWorker(on), actAsWorker(on)];
  for (const worker of [stays, leaves])
    await worker.beat({ warm: [waiting('busybox:latest', 1), waiting('debian:13', 1)] });
  expect(await lines('runlet_worker_warm_sandboxes')).toHaveLength(4);
  await stays.beat({ warm: [waiting('debian:13', 4)] });
  await on.gateway.workers.leave(leaves.id);
  expect(await lines('runlet_worker_warm_sandboxes')).toEqual([
    sample(stays.id, 'debian:13', 'container', 4),
  ]);
  await on.gateway.workers.leave(stays.id);
  expect(await lines('runlet_worker_warm_sandboxes')).toEqual([]);
});

test('runs that ended are counted, and of these those that had started warm, whatever became of them', async () => {
  const worker = actAsWorker(on);
  await worker.beat();
  expect(await lines('runlet_runs_warm_total')).toEqual(['runlet_runs_warm_total 0']);
  const begin = async () => {
    const { id } = await runOf(await on.call('POST', '/v1/runs', { image: 'hello-world' }), 202);
    return worker.start(id);
  };
  await worker.finish(await begin(), 'succeeded', { startedWarm: true });
  await worker.finish(await begin(), 'succeeded', { startedWarm: false });
  await worker.finish(await begin(), 'timed_out', { startedWarm: true });
  // Counted by its end, and once: it has ended when it is said to have ended again.
  const holder = await begin();
  expect(await lines('runlet_runs_warm_total')).toEqual(['runlet_runs_warm_total 2']);
  for (let i = 0; i < 2; i += 1) await worker.finish(holder, 'failed', { startedWarm: true });
  expect(await lines('runlet_runs_warm_total')).toEqual(['runlet_runs_warm_total 3']);
  expect(await lines('runlet_runs_total{status="succeeded"}')).toEqual([
    'runlet_runs_total{status="succeeded"} 2',
  ]);
  // A program cannot say so of itself.
  const claims = await runOf(
    await on.call('POST', '/v1/runs', { image: 'hello-world', metadata: { x: '"startedWarm":true' } }),
    202,
  );
  await worker.perform(claims.id, '"startedWarm":true');
  expect(await lines('runlet_runs_warm_total')).toEqual(['runlet_runs_warm_total 3']);
});
