import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import type { Worker } from '../../shared/contracts/worker.ts';
import { type Runlet, startRunlet } from '../support/runlet.ts';

let runlet: Runlet;
beforeAll(async () => {
  runlet = await startRunlet(inject('lab'), { env: { RUNLET_DRAIN_MS: '60000' } });
});
afterAll(() => runlet.stop());

async function worker(): Promise<Worker> {
  const { data } = (await (await runlet.call('GET', '/v1/workers')).json()) as { data: Worker[] };
  return data[0] as Worker;
}

async function untilDraining(): Promise<void> {
  while ((await worker()).status !== 'draining') await sleep(20);
}

type Answer = { id?: string; status: string | number; code?: string; detail?: string };

async function undrain(id: string): Promise<[number, Answer]> {
  const answer = await runlet.call('DELETE', `/v1/workers/${id}/drain`);
  return [answer.status, (await answer.json()) as Answer];
}

async function post(script: string): Promise<Run> {
  const request = { image: 'busybox', command: ['sh', '-c', script], limits: { timeoutMs: 60_000 } };
  return (await (await runlet.call('POST', '/v1/runs', request)).json()) as Run;
}

test('a drained worker takes runs again when it is told to, each time', async () => {
  const { id } = await worker();
  for (const text of ['first', 'second']) {
    expect((await runlet.call('POST', `/v1/workers/${id}/drain`)).status).toBe(202);
    await untilDraining();
    const waiting = await post(`echo ${text}`);
    const [status, shown] = await undrain(id);
    expect([status, shown.id, shown.status]).toEqual([200, id, 'ready']);
    expect(await runlet.ended(waiting.id)).toMatchObject({ status: 'succeeded', stdout: `${text}\n` });
  }
  // For one that was not drained nothing changes.
  expect((await undrain(id))[0]).toBe(200);
  expect((await undrain(id))[1].status).toBe('ready');
  // It makes sandboxes ahead again.
  const warm = { image: 'busybox', command: ['true'] };
  while (!(await runlet.run(warm)).startedWarm) await sleep(100);
});

test('a worker that is told to go on while its last run still runs goes on', async () => {
  const { id } = await worker();
  const long = await post('sleep 3; echo long');
  while ((await worker()).inUse.runs === 0) await sleep(20);
  await runlet.call('POST', `/v1/workers/${id}/drain`);
  expect((await undrain(id))[1].status).toBe('ready');
  const short = await post('echo short');
  expect(await runlet.ended(short.id)).toMatchObject({ status: 'succeeded' });
  expect(await runlet.ended(long.id)).toMatchObject({ status: 'succeeded', stdout: 'long\n' });
  // The drain that was overtaken has no late effect.
  expect((await worker()).status).toBe('ready');
});

test('a worker that is shutting down stays so, and says it', async () => {
  const { id } = await worker();
  const last = await post('sleep 4; echo last');
  while ((await worker()).inUse.runs === 0) await sleep(20);
  const stopped = runlet.workers.at(-1)?.stop('SIGTERM');
  await untilDraining();
  const [status, problem] = await undrain(id);
  expect([status, problem.code]).toEqual([409, 'conflict']);
  expect(problem.detail).toContain('shutting down');
  expect(await runlet.ended(last.id)).toMatchObject({ status: 'succeeded', stdout: 'last\n' });
  await stopped;
  expect((await undrain(id))[0]).toBe(404);
});
