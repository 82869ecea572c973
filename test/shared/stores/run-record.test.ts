import { expect, test } from 'vitest';
import { runRequestSchema } from '../../../shared/contracts/run-request.ts';
import { emptyState, newStep, presentRun } from '../../../shared/stores/run-record.ts';

test('a record of a version that said nothing of limits has none that ended its steps', () => {
  const most = 2 ** 40;
  const limits = {
    timeoutMs: most,
    memoryBytes: most,
    cpus: 8,
    pids: most,
    outputBytes: most,
    diskBytes: most,
  };
  const policy = { limits, allowWritable: true, allowEgress: true, registries: [] };
  const request = runRequestSchema(policy).parse({ image: 'busybox' });
  const { limit, ...old } = { ...newStep('run'), status: 'timed_out' as const };
  expect(limit).toBeNull();
  const record = {
    head: { id: 'run_1', tenant: 'default', createdAt: '2026-01-01T00:00:00.000Z', dueAt: 0, request },
    status: 'timed_out' as const,
    attempt: 1,
    worker: null,
    state: { ...emptyState, steps: [old as typeof old & { limit: null }] },
    cancelRequested: false,
  };
  expect(presentRun(record, new Map()).steps).toMatchObject([
    { name: 'run', status: 'timed_out', limit: null },
  ]);
});
