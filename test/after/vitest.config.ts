import { defineConfig } from 'vitest/config';

/** Runs after the other tests, on the log lines that they left. */
export default defineConfig({ test: { include: ['test/after/**/*.spec.ts'] } });
