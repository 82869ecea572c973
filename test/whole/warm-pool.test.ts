import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { docker } from '../support/docker.ts';
import { loadImages } from '../support/lab-images.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { warmSandboxes } from '../support/sandboxes.ts';

const lab = inject('lab');
/** Images of languages. The Engine has the first one when the worker starts, and gets the second one later. */
const python = 'python:3.11-slim-bookworm';
const debian = 'debian:bookworm-slim';
/** This image is not in the Engine yet. Its first run pulls it. */
const pulled = `${lab.registry}/runlet-test/traits:1`;
let runlet: Runlet;

// Time for a machine that has not built any of the images yet.
const buildingMs = 900_000;

beforeAll(async () => {
  // Other tests with the same engine may already have loaded them.
  for (const image of lab.ownsEngine ? [pulled, debian] : [pulled])
    await docker(lab.dockerHost, 'rmi', '--force', image).catch(() => '');
  await loadImages(lab, [python]);
  runlet = await startRunlet(lab);
}, buildingMs);
afterAll(async () => {
  await runlet.stop();
});

const now = () => new Date().toISOString();
const pause = () => sleep(100);

/** The only worker, as in a heartbeat that it sent after this moment. */
async function workerAfter(moment: string, of = runlet): Promise<Worker> {
  for (;;) {
    const { data } = (await (await of.call('GET', '/v1/workers')).json()) as { data: Worker[] };
    const worker = data.find(({ lastSeenAt }) => lastSeenAt > moment);
    if (worker !== undefined) return worker;
    await pause();
  }
}

const ready = ({ warm }: Worker, image: string) =>
  warm.filter((one) => one.image === image).reduce((sum, { count }) => sum + count, 0);

/** Waits until a sandbox is ready for runs of this image. The test's own time limit ends the wait. */
async function untilReady(image: string): Promise<void> {
  while (ready(await workerAfter(''), image) === 0) await pause();
}

/** The sandboxes that the pool has made and that the machine still has. */
async function sandboxesOf({ id }: Worker, image?: string): Promise<string[]> {
  const all = await warmSandboxes(lab.dockerHost, { worker: id, ...(image !== undefined && { image }) });
  return all.map((one) => one.id);
}

/** Samples of these metrics, by their names and labels. */
async function samples(of: Runlet, ...names: string[]): Promise<Record<string, number>> {
  const lines = (await (await of.call('GET', '/metrics')).text()).split('\n');
  const wanted = lines.filter((line) => names.some((name) => line.split(/[{ ]/)[0] === name));
  return Object.fromEntries(
    wanted.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' ') + 1)),
    ]),
  );
}

const counters = async (of: Runlet) => {
  const found = await samples(of, 'runlet_runs_warm_total', 'runlet_runs_total');
  return {
    warm: found.runlet_runs_warm_total ?? Number.NaN,
    succeeded: found['runlet_runs_total{status="succeeded"}'] ?? Number.NaN,
  };
};

/** The list of workers and the metrics, both from the same heartbeat of the worker. */
async function told(): Promise<[Worker, Record<string, number>]> {
  for (;;) {
    const worker = await workerAfter('');
    const found = await samples(runlet, 'runlet_worker_warm_sandboxes');
    if ((await workerAfter('')).lastSeenAt === worker.lastSeenAt) return [worker, found];
  }
}

/**
 * Starts `count` runs at once, again and again, until as many sandboxes are ready. Returns all runs; the first one ran before all others.
 */
async function warmed(image: string, count: number): Promise<Run[]> {
  // By the first run the worker learns the image. By the next ones it learns that the image is used again.
  const runs = [await runlet.run({ image })];
  for (;;) {
    runs.push(...(await Promise.all(Array.from({ length: count }, () => runlet.run({ image })))));
    // A heartbeat from before this moment does not count: its sandboxes may be taken by now.
    if (ready(await workerAfter(now()), `${image}:latest`) >= count) return runs;
  }
}

/** Checks what is true for the times of every run, on any machine. */
function expectPlausible({ timings, createdAt, startedAt, finishedAt }: Run): void {
  const { queuedMs, pullMs, startMs, runMs, totalMs } = timings;
  for (const one of [queuedMs, startMs, runMs, totalMs]) expect(one, JSON.stringify(timings)).not.toBeNull();
  const parts = [queuedMs ?? -1, pullMs ?? 0, startMs ?? -1, runMs ?? -1];
  expect(Math.min(...parts), JSON.stringify(timings)).toBeGreaterThanOrEqual(0);
  // Two of the clocks give whole milliseconds.
  const sum = parts.reduce((all, one) => all + one);
  expect(sum, JSON.stringify(timings)).toBeLessThanOrEqual((totalMs ?? 0) + 2);
  expect([createdAt, startedAt, finishedAt].sort()).toEqual([createdAt, startedAt, finishedAt]);
  expect(totalMs).toBe(Date.parse(finishedAt ?? '') - Date.parse(createdAt));
}

test('a pull leaves the languages the sandboxes that are ready, and finds languages that are new', async () => {
  await untilReady(python);
  const worker = await workerAfter('');
  const before = await sandboxesOf(worker, python);
  expect(before).toHaveLength(1);
  await loadImages(lab, [debian]);
  const run = await runlet.run({ image: pulled, command: ['true'] });
  expect(run).toMatchObject({ status: 'succeeded', startedWarm: false });
  expect(run.timings.pullMs).toBeGreaterThan(0);
  expectPlausible(run);
  // When this one is ready, all languages have been looked at.
  await untilReady(debian);
  expect(await sandboxesOf(worker, python)).toEqual(before);
});

test('the first run of an image starts cold, later ones in what was made ahead; each is counted', async () => {
  const before = await counters(runlet);
  const all = await warmed('hello-world', 1);
  const later: Run[] = [];
  for (let i = 0; i < 3; i += 1) {
    // A sandbox that is made soon is kept for fewer runs ahead. A heartbeat from before this moment does not count.
    while (ready(await workerAfter(now()), 'hello-world:latest') === 0) await pause();
    later.push(await runlet.run({ image: 'hello-world' }));
  }
  expect(all[0]?.startedWarm).toBe(false);
  expect(later.map((run) => run.startedWarm)).toEqual([true, true, true]);
  all.push(...later);
  const after = await counters(runlet);
  expect(all.map((run) => run.status)).toEqual(all.map(() => 'succeeded'));
  expect(after.succeeded - before.succeeded).toBe(all.length);
  expect(after.warm - before.warm).toBe(all.filter((run) => run.startedWarm).length);
  for (const run of later) {
    const { startedWarm, timings, image } = (await (
      await runlet.call('GET', `/v1/runs/${run.id}`)
    ).json()) as Run;
    expect({ startedWarm, timings, image }).toEqual({
      startedWarm: true,
      timings: run.timings,
      image: run.image,
    });
  }
});

test('workers and metrics say the same of what waits, and the machine has it', async () => {
  await warmed('busybox', 2);
  // Used sandboxes are removed a little later, and the pool may still grow.
  const difference = async () => {
    const worker = await workerAfter(now());
    const said = worker.warm.reduce((sum, { count }) => sum + count, 0);
    return (await sandboxesOf(worker)).length - said;
  };
  await expect.poll(difference, { timeout: 60_000 }).toBe(0);
  const [worker, found] = await told();
  const expected = worker.warm.map(({ image, isolation, count }) => [
    `runlet_worker_warm_sandboxes{worker="${worker.id}",image="${image}",isolation="${isolation}"}`,
    count,
  ]);
  expect(found).toEqual(Object.fromEntries(expected));
  expect(worker.warm).toContainEqual({
    image: 'busybox:latest',
    isolation: 'container',
    network: 'none',
    count: expect.any(Number),
  });
});

test('the times of a run fit together, however it started', async () => {
  const script = { image: 'busybox', command: ['sleep', '0.1'] };
  const cold = await runlet.run({ ...script, writable: true });
  await warmed('busybox', 1);
  const warm = await runlet.run(script);
  expect([cold.startedWarm, warm.startedWarm]).toEqual([false, true]);
  for (const run of [cold, warm]) {
    expect(run).toMatchObject({ status: 'succeeded', timings: { pullMs: null } });
    expectPlausible(run);
    // The program slept this long.
    expect(run.timings.runMs).toBeGreaterThanOrEqual(100);
  }
  expect(warm.timings.startMs).toBeLessThan(warm.timings.totalMs ?? 0);
});

test('with RUNLET_WARM_MAX=0 nothing is made ahead, and every run starts cold', async () => {
  const none = await startRunlet(lab, { env: { RUNLET_WARM_MAX: '0' } });
  onTestFinished(() => none.stop());
  const runs: Run[] = [];
  for (let i = 0; i < 3; i += 1) {
    runs.push(...(await Promise.all([1, 2].map(() => none.run({ image: 'busybox', command: ['true'] })))));
    runs.push(await none.run({ language: 'python', code: 'print(1)' }));
    // Here a pool would have time to make sandboxes.
    expect((await workerAfter(now(), none)).warm).toEqual([]);
  }
  expect(runs.map((run) => [run.status, run.startedWarm])).toEqual(runs.map(() => ['succeeded', false]));
  for (const run of runs) expectPlausible(run);
  expect(await counters(none)).toEqual({ warm: 0, succeeded: runs.length });
  expect(await samples(none, 'runlet_worker_warm_sandboxes')).toEqual({});
  expect(await sandboxesOf(await workerAfter('', none))).toEqual([]);
});
