import { globSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Real engines and registries, and images that another file's tests may be building: a test may take its time, none may hang for ever. */
const patience = { testTimeout: 240_000, hookTimeout: 600_000, expect: { poll: { timeout: 60_000 } } };

/**
 * These start no container and leave nothing in their process that another file would see: they share one, and what it has imported.
 * (74 files: 7 s of processor time for four that each start a gateway, 10 s where each has a process of its own.)
 */
const together = [
  'test/shared/**/*.test.ts',
  'test/worker/{disk,intake,node,run,services}/*.test.ts',
  'test/worker/images/*.test.ts',
  'test/worker/network/{command,subnets}.test.ts',
  'test/worker/sandbox/{image,program,users,warm}/*.test.ts',
  'test/gateway/*.test.ts',
  // (These have a worker.)
  'test/compat/*/!(whole|programs).test.ts',
  // (differential.test.ts mocks a module.)
  'test/gateway/proxy/!(memory|differential).test.ts',
  'test/hostile/{http,store}-*.test.ts',
];

/** These start no container either. They run beside all others. */
const light = [
  'test/gateway/proxy/differential.test.ts',
  'test/worker/engine/{demux,log-lines,texts}.test.ts',
  'test/worker/sandbox/drivers/choose.test.ts',
  'test/worker/sandbox/drivers/engine/spec.test.ts',
  'test/worker/sandbox/drivers/oci/{cgroups,unsuited}.test.ts',
  'test/hostile/cli-*.test.ts',
  'test/hostile/registry-{guard,tags}.test.ts',
  'test/faults/answers-lost.test.ts',
  'test/infra/one-at-a-time.test.ts',
  // The sandbox's init without an Engine, in namespaces of its own.
  'test/infra/sandbox-init/*.test.ts',
  // (deliver.test.ts has a worker, shutdown.test.ts counts what a notifier begins in its last moment.)
  'test/notifier/!(deliver|shutdown).test.ts',
  // Against an API that is made up. (The others start containers, or measure how long a terminal takes.)
  'test/cli/!(artifacts|copy-folders|interactive|services|services-inside).test.ts',
];

/**
 * These change what the whole Engine or the machine's network and disk have, or count it: no other file's containers are there
 * meanwhile. All others keep to a Runlet of their own, which is made for sharing an Engine with strangers.
 */
const alone = [
  // They flush chains of the firewall.
  'test/worker/network/!(command|subnets).test.ts',
  'test/worker/sandbox/drivers/engine/egress.test.ts',
  // They count all volumes, or remove them.
  'test/worker/engine/{lifecycle,quotas}.test.ts',
  'test/worker/sandbox/driver.*.test.ts',
  'test/worker/sandbox/drivers/oci/!(cgroups|unsuited).test.ts',
  'test/faults/volumes-pruned.test.ts',
  'test/hostile/disk-services.test.ts',
  'test/whole/{image-files,main-job}.test.ts',
  // They remove images that others use.
  'test/whole/warm-pool.test.ts',
  'test/infra/images.test.ts',
  // They fill the disk, or use up what the kernel has once for all.
  'test/hostile/{disk-runs,disk-transfer,kernel-objects,memory-uncounted,network-*,shared-quotas,users-of-sandboxes}.test.ts',
  // They start as a user's `npm start` does, and look for what is there already.
  'test/infra/!(one-at-a-time).test.ts',
];

/**
 * A worker keeps a sandbox warm for each language whose image the Engine has, some twenty of them: every Runlet that starts after these
 * tests pays for that, several seconds of processor time each. So they are the last.
 */
const languages = ['test/languages/*.test.ts'];

/** It measures, and waits until nothing moves in the Engine. */
const bench = ['test/docs/bench.test.ts'];

/** Images are built in the Engine, from the network. */
const compose = ['test/infra/compose{,-direct}.test.ts'];

// A file that moved would silently run elsewhere: each pattern still has its file.
for (const pattern of [...together, ...light, ...alone, ...bench, ...languages, ...compose])
  if (globSync(pattern).length === 0) throw new Error(`vitest.config.ts: no test file matches ${pattern}`);

// `npm test` (main.ts) runs some of them beside one another: in each lane one project after the other.
export default defineConfig({
  test: {
    // Once, for all: their tests have what it provides.
    globalSetup: ['test/support/lab.ts'],
    projects: [
      {
        test: {
          name: 'together',
          include: together,
          isolate: false,
          setupFiles: ['test/support/schemas.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 0 },
          ...patience,
        },
      },
      {
        test: {
          name: 'light',
          include: light,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          ...patience,
        },
      },
      {
        test: {
          name: 'engine',
          include: ['test/**/*.test.ts'],
          exclude: [...together, ...light, ...alone, ...bench, ...languages, ...compose],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
          ...patience,
        },
      },
      {
        test: {
          name: 'alone',
          include: alone,
          exclude: [...bench, ...compose],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
          ...patience,
        },
      },
      {
        test: {
          name: 'languages',
          include: languages,
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
          ...patience,
        },
      },
      {
        test: {
          name: 'compose',
          include: compose,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
          ...patience,
        },
      },
      {
        test: {
          name: 'bench',
          include: bench,
          fileParallelism: false,
          sequence: { groupOrder: 6 },
          ...patience,
        },
      },
    ],
  },
});
