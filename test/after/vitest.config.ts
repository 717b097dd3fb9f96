import { defineConfig } from 'vitest/config';

/** Runs after the other tests: on the log lines that they left, and what is measured in quiet. */
export default defineConfig({
  test: { include: ['test/after/**/*.spec.ts'], fileParallelism: false },
});
