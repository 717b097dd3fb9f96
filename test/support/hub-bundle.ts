import { statSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const ROOT = join(import.meta.dirname, '../..');
const BUILT = join(ROOT, 'dist/main.js');

/**
 * The built hub and its libraries as one file: the tests start some sixty processes, and each loads
 * it in half the time that a thousand files take. `test/after/start-figures.spec.ts` starts what ships.
 */
export const HUB_MAIN = join(ROOT, '.test-output/hub.mjs');

/** Bundles what `npm run build` has built, unless that was done before. */
export async function bundleHub(): Promise<void> {
  const built = changedAt(BUILT);
  if (!built || changedAt(HUB_MAIN) > built) return;
  const bundle = await rolldown({
    input: BUILT,
    platform: 'node',
    // They look for files of their own beside themselves.
    external: [/^libsql$/, /^swagger-ui-dist/],
    // Optional libraries of Nest and TypeORM that nobody has installed.
    logLevel: 'silent',
  });
  await bundle.write({ file: HUB_MAIN, format: 'esm', codeSplitting: false });
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
