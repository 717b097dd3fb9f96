import { defineConfig } from 'vitest/config';

/** SDKs of other languages and the fuzz of the API document: what wants the network to be installed. */
export default defineConfig({
  test: {
    include: ['test/sdk/**/*.spec.ts'],
    globalSetup: ['test/sdk/global-setup.ts'],
    setupFiles: ['test/support/setup-file.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
