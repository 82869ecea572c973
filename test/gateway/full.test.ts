import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../shared/contracts/run.ts';
import { problemOf, runOf, startGateway, type TestGateway } from './support.ts';

let on: TestGateway;
beforeAll(async () => {
  on = await startGateway({ RUNLET_TENANT_MAX_RUNS: '3', RUNLET_MAX_OPEN_RUNS: '5' });
});
afterAll(() => on.stop());

const image = { image: 'hello-world' };

test('a tenant over its quota hears 429, a full system 503; room that is made is room', async () => {
  const other = await on.caller('other');
  const runs: Run[] = [];
  for (let i = 0; i < 3; i++) runs.push(await runOf(await on.call('POST', '/v1/runs', image), 202));
  const over = await on.call('POST', '/v1/runs', image);
  expect(over.headers.get('retry-after')).toMatch(/^\d+$/);
  await problemOf(over, 429, 'quota_exceeded');
  // One tenant's quota is not another's.
  for (let i = 0; i < 2; i++) await runOf(await other('POST', '/v1/runs', image), 202);
  const full = await other('POST', '/v1/runs', image);
  expect(full.headers.get('retry-after')).toMatch(/^\d+$/);
  await problemOf(full, 503, 'overloaded');
  // Those that were refused have left no job, the first of them neither.
  expect(Object.values(await on.gateway.queue.depth()).reduce((sum, count) => sum + count)).toBe(5);

  await runOf(await on.call('POST', `/v1/runs/${runs[0]?.id}/cancel`), 202);
  const batch = await on.call('POST', '/v1/runs/batch', { runs: [image, image] });
  const { results } = (await batch.json()) as { results: { status: unknown; code?: string }[] };
  expect(results).toMatchObject([{ status: 'queued' }, { status: 429, code: 'quota_exceeded' }]);
});
