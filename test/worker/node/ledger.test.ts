import { expect, test } from 'vitest';
import { createLedger } from '../../../services/worker/node/ledger.ts';

test('reserves memory and CPU, never more than there is, and gives back once', () => {
  const ledger = createLedger({ memoryBytes: 100, cpus: 2 });
  const first = ledger.take({ memoryBytes: 60, cpus: 1 });
  expect(first).toBeDefined();
  expect(ledger.take({ memoryBytes: 60, cpus: 0.5 })).toBeUndefined();
  expect(ledger.take({ memoryBytes: 10, cpus: 1.5 })).toBeUndefined();
  const second = ledger.take({ memoryBytes: 40, cpus: 1 });
  expect(ledger.inUse()).toEqual({ memoryBytes: 100, cpus: 2, runs: 2 });
  first?.release();
  first?.release();
  expect(ledger.inUse()).toEqual({ memoryBytes: 40, cpus: 1, runs: 1 });
  second?.release();
  expect(ledger.inUse()).toEqual({ memoryBytes: 0, cpus: 0, runs: 0 });
});

test('CPUs come back when nothing computes any more, memory when it is gone', () => {
  const ledger = createLedger({ memoryBytes: 100, cpus: 2 });
  const held = ledger.take({ memoryBytes: 60, cpus: 2 });
  held?.releaseCpus();
  expect(ledger.inUse()).toEqual({ memoryBytes: 60, cpus: 0, runs: 1 });
  held?.release();
  expect(ledger.inUse()).toEqual({ memoryBytes: 0, cpus: 0, runs: 0 });
});

test('says when something was given back, and what could never fit', async () => {
  const ledger = createLedger({ memoryBytes: 100, cpus: 2 });
  expect(ledger.couldFit({ memoryBytes: 101, cpus: 1 })).toBe(false);
  expect(ledger.couldFit({ memoryBytes: 1, cpus: 2.1 })).toBe(false);
  const release = ledger.take({ memoryBytes: 100, cpus: 2 });
  const released = ledger.room(60_000);
  expect(ledger.waiting()).toBe(1);
  release?.release();
  await released;
  expect(ledger.waiting()).toBe(0);
  expect(ledger.fits({ memoryBytes: 100, cpus: 2 })).toBe(true);
});

test('fractions of CPUs add up without drift', () => {
  const ledger = createLedger({ memoryBytes: 1000, cpus: 1 });
  const all = Array.from({ length: 10 }, () => ledger.take({ memoryBytes: 1, cpus: 0.1 }));
  expect(all.every((release) => release !== undefined)).toBe(true);
  for (const release of all) release?.release();
  expect(ledger.inUse().cpus).toBeCloseTo(0, 9);
});
