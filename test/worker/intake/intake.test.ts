import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createIntake } from '../../../services/worker/intake/intake.ts';
import type { HeldJob, RunQueue } from '../../../services/worker/intake/run-queue.ts';
import { createLedger } from '../../../services/worker/node/ledger.ts';
import { createActiveRuns } from '../../../services/worker/run/active-runs.ts';
import type { Execution } from '../../../services/worker/run/attempt.ts';
import { createLog } from '../../../shared/log.ts';
import { outlineOf } from '../../../shared/run-plan.ts';
import type { RunStore } from '../../../shared/stores/runs.ts';
import type { WorkerStore } from '../../../shared/stores/workers.ts';
import { runRequest } from '../../support/run-request.ts';

const request = runRequest.parse({ image: 'busybox', pull: 'always' });
const head = { id: 'run_1', tenant: 'default', createdAt: '2026-01-01T00:00:00.000Z', dueAt: 0, request };

/** One job, and what became of it and its run, where the claim, or the end of a broken run, fails like this. */
async function outcome(fails: { claim?: string; end?: string }): Promise<string[]> {
  const said: string[] = [];
  const over = Promise.withResolvers<void>();
  const end = (what: string) => async () => {
    said.push(what);
    over.resolve();
  };
  const job: HeldJob = {
    runId: head.id,
    outline: outlineOf(head),
    alone: true,
    complete: end('complete'),
    handBack: end('hand back'),
    delay: end('delay'),
  };
  const jobs = [job];
  const runs = {
    claim: async () => {
      throw new Error(fails.claim);
    },
    endBroken: async (_: string, error: { code: string }) => {
      if (fails.end !== undefined) throw new Error(fails.end);
      said.push(`ended: ${error.code}`);
      return true;
    },
  } as unknown as RunStore;
  const next = async () => {
    const one = jobs.shift();
    if (one === undefined) await sleep(10);
    return one;
  };
  const ledger = createLedger({ memoryBytes: 2 ** 30, cpus: 2 });
  const log = createLog('test', 'silent');
  const intake = createIntake({
    workerId: 'w1',
    queue: { next } as unknown as RunQueue,
    runs,
    ahead: runs,
    workers: { list: async () => [] } as unknown as WorkerStore,
    ledger,
    active: createActiveRuns(),
    execution: { runs, log } as unknown as Execution,
    ready: () => true,
    log,
  });
  intake.start();
  await over.promise;
  await intake.drain();
  // Whatever became of it, its room is free.
  expect(ledger.inUse()).toEqual({ memoryBytes: 0, cpus: 0, runs: 0 });
  return said;
}

test.each([
  "OOM command not allowed when used memory > 'maxmemory'.",
  "READONLY You can't write against a read only replica.",
  'LOADING Redis is loading the dataset in memory',
  'MISCONF Redis is configured to save RDB snapshots',
  'Connection is closed.',
  'Command timed out',
])('what Redis refuses for a while comes again: %s', async (claim) => {
  expect(await outcome({ claim })).toEqual(['delay']);
});

test.each([
  'ERR user_script:23: attempt to perform arithmetic on a nil value script: 1f, on @user_script:23.',
  'WRONGTYPE Operation against a key holding the wrong kind of value script: 1f, on @user_script:40.',
  "Cannot read properties of undefined (reading 'x')",
])('what would fail for ever ends its run: %s', async (claim) => {
  expect(await outcome({ claim })).toEqual(['ended: internal', 'complete']);
});

test('a run whose end Redis refuses for a while comes again, and is ended then', async () => {
  expect(await outcome({ claim: 'WRONGTYPE', end: 'OOM command not allowed' })).toEqual(['delay']);
});
