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

/**
 * One job, and what became of it and its run, where the claim, or the end of a broken run, fails like this. `more`: so many came with it; the
 * worker is drained at the first one's claim.
 */
async function outcome(fails: { claim?: string; end?: string }, more = 0): Promise<string[]> {
  const said: string[] = [];
  const over = Promise.withResolvers<void>();
  const end = (what: string) => async () => {
    said.push(what);
    if (said.length > more) over.resolve();
  };
  const job: HeldJob = {
    runId: head.id,
    outline: outlineOf(head),
    alone: true,
    token: 'w1:1',
    ended: () => {},
    complete: end('complete'),
    handBack: end('hand back'),
    delay: end('delay'),
  };
  const jobs = Array.from({ length: 1 + more }, () => job);
  const runs = {
    claim: async () => {
      if (more > 0) void intake.drain();
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
    return one && { job: one };
  };
  const ledger = createLedger({ memoryBytes: 2 ** 30, cpus: 2 });
  const log = createLog('test', 'silent');
  const intake = createIntake({
    workerId: 'w1',
    queue: { next, holdsSome: () => jobs.length > 0 } as unknown as RunQueue,
    runs,
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

test('what came with it goes back to the queue where the worker takes no more', async () => {
  expect(await outcome({ claim: 'Connection is closed.' }, 2)).toEqual(['delay', 'hand back', 'hand back']);
});

test('an intake that is told to go on takes again; a drain that was overtaken changes nothing; one that shuts down stays so', async () => {
  let asked = 0;
  const next = async () => {
    asked += 1;
    await sleep(1);
    return undefined;
  };
  const log = createLog('test', 'silent');
  const runs = {} as RunStore;
  const intake = createIntake({
    workerId: 'w1',
    queue: { next, holdsSome: () => false } as unknown as RunQueue,
    runs,
    workers: { list: async () => [] } as unknown as WorkerStore,
    ledger: createLedger({ memoryBytes: 2 ** 30, cpus: 2 }),
    active: createActiveRuns(),
    execution: { runs, log } as unknown as Execution,
    ready: () => true,
    log,
  });
  const goesOn = async () => {
    const before = asked;
    while (asked < before + 3) await sleep(1);
  };
  intake.start();
  await goesOn();
  for (let i = 0; i < 2; i += 1) {
    await intake.drain();
    expect(intake.takesNoMore()).toBe(true);
    intake.resume();
    expect(intake.takesNoMore()).toBe(false);
    await goesOn();
  }
  const overtaken = intake.drain();
  intake.resume();
  await overtaken;
  expect(intake.takesNoMore()).toBe(false);
  await goesOn();
  await intake.shutDown(1_000);
  intake.resume();
  expect(intake.takesNoMore()).toBe(true);
  const after = asked;
  await sleep(20);
  expect(asked).toBe(after);
});
