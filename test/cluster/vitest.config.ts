import { defineConfig } from 'vitest/config';

/** Hubs on a cluster of databases whose nodes die: some four minutes, and a machine of its own. */
export default defineConfig({
  test: {
    include: ['test/cluster/**/*.spec.ts'],
    globalSetup: ['test/cluster/global-setup.ts'],
    setupFiles: ['test/support/setup-file.ts'],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 300_000,
  },
});
