import { statfsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const MEMORY = '/dev/shm';
const ROOM_BYTES = 2 * 1024 ** 3;

/** Whether databases of the tests fit into memory: making their tables waits for no disk there. */
function memoryHasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize > ROOM_BYTES;
  } catch {
    return false;
  }
}

if (!process.env.TMPDIR && memoryHasRoom()) process.env.TMPDIR = MEMORY;

export default defineConfig({
  test: {
    include: [
      'src/**/*.spec.ts',
      'console/**/*.spec.ts',
      'simulator/**/*.spec.ts',
      'test/**/*.spec.ts',
    ],
    exclude: ['test/after/**', 'test/cluster/**', 'test/sdk/**', 'node_modules/**', 'dist/**'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/setup-file.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // As long as the browser itself waits for what a page shows.
    expect: { poll: { timeout: 15_000 } },
    // Loading Nest and TypeORM anew for each of 130 files takes longer than many of their tests; no
    // file leaves anything behind that another one sees.
    isolate: false,
    // Database servers and several hubs share the machine with the tests.
    maxWorkers: 2,
    // Without MySQL the files that need it are empty.
    passWithNoTests: true,
  },
});
