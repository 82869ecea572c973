import { defineConfig } from 'vitest/config';

/** Real engines and registries, and images that another file's tests may be building: a test may take its time, none may hang for ever. */
const patience = { testTimeout: 120_000, hookTimeout: 600_000 };

/**
 * These change what the whole machine or the whole Engine has, or count it: no other file's tests are there meanwhile. All others keep to
 * a Runlet of their own, which is made for sharing an Engine with strangers.
 */
const alone = [
  // It waits until nothing moves in the Engine, and measures.
  'test/docs/bench.test.ts',
  // They flush chains of the firewall.
  'test/worker/engine/{egress,service-networks}.test.ts',
  // They count all volumes, or remove them.
  'test/worker/engine/{lifecycle,posture}.test.ts',
  'test/faults/volumes-pruned.test.ts',
  'test/hostile/disk-services.test.ts',
  'test/whole/{image-files,main-job}.test.ts',
  // They remove images that others use.
  'test/whole/warm-pool.test.ts',
  'test/infra/images.test.ts',
  // They fill the machine's disk, or use up what the kernel has once for all.
  'test/hostile/{disk-runs,disk-transfer,kernel-objects,memory-uncounted,network-*,shared-quotas,users-of-sandboxes}.test.ts',
  // They start as a user's `npm start` does, at its ports, and look for what is there already.
  'test/infra/{calling-user,compose,install,own-engine,parts,start,start-own-engine}.test.ts',
  // What a gateway takes, and what a notifier begins in its last moment.
  'test/gateway/proxy/memory.test.ts',
  'test/notifier/shutdown.test.ts',
];

export default defineConfig({
  test: {
    // Once, for both: their tests have what it provides.
    globalSetup: ['test/support/lab.ts'],
    projects: [
      {
        test: {
          name: 'beside',
          include: ['test/**/*.test.ts'],
          exclude: alone,
          // One more than the cores that it is meant for: most of them wait for something most of the time.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
          ...patience,
        },
      },
      {
        test: {
          name: 'alone',
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          ...patience,
        },
      },
    ],
  },
});
