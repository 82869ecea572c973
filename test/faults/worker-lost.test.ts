import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';
import { gone } from '../support/sandboxes.ts';

const lab = inject('lab');
let runlet: Runlet;

beforeAll(async () => {
  runlet = await startRunlet(lab);
});
afterAll(() => runlet.stop());

async function post(request: Record<string, unknown>): Promise<string> {
  const response = await runlet.call('POST', '/v1/runs', request);
  expect(response.status).toBe(202);
  return ((await response.json()) as Run).id;
}

async function untilRunning(id: string): Promise<void> {
  for (;;) {
    const now = (await (await runlet.call('GET', `/v1/runs/${id}`)).json()) as Run;
    if (now.status === 'running') return;
    await sleep(20);
  }
}

const sleeper = {
  image: 'busybox',
  command: ['sh', '-c', 'echo started; sleep 300'],
  limits: { timeoutMs: 400_000 },
};

test('kill -9 of a worker: its run ends as worker_lost, or runs again where retries allow; nothing is left', async () => {
  const lost = await post(sleeper);
  const retried = await post({ ...sleeper, command: ['sh', '-c', 'echo started; sleep 15'], retries: 1 });
  await Promise.all([untilRunning(lost), untilRunning(retried)]);
  await runlet.workers[0]?.stop('SIGKILL');
  const waiting = await post({ image: 'busybox', command: ['echo', 'later'] });
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'heir' });

  expect(await runlet.ended(lost)).toMatchObject({
    status: 'errored',
    attempt: 1,
    error: { code: 'worker_lost' },
  });
  expect(await runlet.ended(waiting)).toMatchObject({ status: 'succeeded', stdout: 'later\n' });
  const again = await runlet.ended(retried);
  expect(again).toMatchObject({ status: 'succeeded', attempt: 2, stdout: 'started\n' });
  expect(await runlet.workerName(again.worker)).toBe('heir');
  await gone(lab.dockerHost, [lost, retried, waiting]);
});

test('SIGTERM drains: what runs is finished, what waits is left to others', async () => {
  const running = await post({ image: 'busybox', command: ['sh', '-c', 'sleep 2; echo done'] });
  await untilRunning(running);
  const worker = runlet.workers.at(-1);
  await worker?.stop('SIGTERM');
  const ended = (await (await runlet.call('GET', `/v1/runs/${running}`)).json()) as Run;
  expect(ended).toMatchObject({ status: 'succeeded', stdout: 'done\n' });
  await gone(lab.dockerHost, [running]);

  const waiting = await post({ image: 'busybox', command: ['echo', 'after'] });
  const none = await runlet.call('GET', '/readyz');
  expect(none.status).toBe(503);
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'third' });
  expect(await runlet.ended(waiting)).toMatchObject({ status: 'succeeded', stdout: 'after\n' });
});

test('a worker that is told to stop and cannot finish in time gives its run back', async () => {
  await runlet.workers.at(-1)?.stop();
  const impatient = await runlet.startWorker({ RUNLET_WORKER_NAME: 'impatient', RUNLET_DRAIN_MS: '500' });
  const id = await post(sleeper);
  await untilRunning(id);
  await impatient.stop('SIGTERM');
  expect(await runlet.ended(id)).toMatchObject({ status: 'errored', error: { code: 'worker_lost' } });
  await gone(lab.dockerHost, [id]);
  await runlet.startWorker({ RUNLET_WORKER_NAME: 'last' });
});

test('a worker that hangs may have been given a run; it goes on elsewhere, and is not begun when the worker wakes', async () => {
  const echo = { image: 'busybox', command: ['echo', 'once'], retries: 1 };
  // Then such a run is claimed along with its job.
  while (!(await runlet.run(echo)).startedWarm) await sleep(500);
  // By then another is warm, and looked out for.
  await sleep(3_000);
  const hanging = runlet.workers.at(-1)?.pid ?? 0;
  process.kill(hanging, 'SIGSTOP');
  try {
    const id = await post(echo);
    await runlet.startWorker({ RUNLET_WORKER_NAME: 'awake' });
    const run = await runlet.ended(id);
    expect(run).toMatchObject({ status: 'succeeded', stdout: 'once\n' });
    expect(await runlet.workerName(run.worker)).toBe('awake');
  } finally {
    process.kill(hanging, 'SIGCONT');
  }
  await runlet.workers.at(-1)?.stop();
  expect(await runlet.run(echo)).toMatchObject({ status: 'succeeded', attempt: 1, stdout: 'once\n' });
});

test('kill -9 of the gateway right after a 202: the run still ends', async () => {
  const id = await post({ image: 'busybox', command: ['echo', 'kept'] });
  await runlet.gateway.stop('SIGKILL');
  await runlet.startGateway();
  expect(await runlet.ended(id)).toMatchObject({ status: 'succeeded', stdout: 'kept\n' });
});
