import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/lab.ts'],
    // Real engines and registries: a test may take its time, none may hang for ever.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    // Two cores: files beside one another would only slow each other down, and time limits of runs are real.
    fileParallelism: false,
  },
});
