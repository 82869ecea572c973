import { defineConfig } from 'vitest/config';

/** Real engines and registries: a test may take its time, none may hang for ever. */
const patience = { testTimeout: 120_000, hookTimeout: 180_000 };

/** These start no container, and mostly wait: two files at a time, as there are two cores. (memory.test.ts measures what a gateway takes.) */
const light = [
  'test/shared/**/*.test.ts',
  'test/worker/{disk,intake,node,run,services}/*.test.ts',
  'test/worker/images/*.test.ts',
  'test/worker/sandbox/{image,users,warm}/*.test.ts',
  'test/gateway/*.test.ts',
  'test/gateway/proxy/!(memory).test.ts',
  'test/hostile/{http,cli,store}-*.test.ts',
  // (deliver.test.ts has a worker, shutdown.test.ts counts what a notifier begins in its last moment.)
  'test/notifier/!(deliver|shutdown).test.ts',
  // Against an API that is made up. (The others start containers, or measure how long a terminal takes.)
  'test/cli/!(artifacts|interactive|services|services-inside).test.ts',
];

export default defineConfig({
  test: {
    // Once, for both: their tests have what it provides.
    globalSetup: ['test/support/lab.ts'],
    projects: [
      {
        test: {
          name: 'light',
          include: light,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
          ...patience,
        },
      },
      {
        test: {
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: light,
          // Two cores: files beside one another would only slow each other down, and time limits of runs are real.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          ...patience,
        },
      },
    ],
  },
});
