import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { killAll } from './processes.mjs';
import { dataFolder } from './settings.mjs';

/**
 * Runs a benchmark that ends in any case: after `limitMs` milliseconds, at a signal, at an error.
 * @param work gives the text to print and whether everything holds that must; resolves when it is kept
 */
export async function runBounded(limitMs, work) {
  setTimeout(() => fail(new Error('The benchmark took too long')), limitMs).unref();
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => fail(new Error(signal)));
  try {
    const { text, sound } = await work();
    console.log(`\n${text}`);
    if (!sound) throw new Error('Not everything holds that must');
    cleanUp();
  } catch (error) {
    fail(error);
  }
}

function cleanUp() {
  killAll();
  for (const name of readdirSync(dataFolder())) {
    if (!name.endsWith('.log')) rmSync(join(dataFolder(), name), { recursive: true, force: true });
  }
}

function fail(error) {
  // Without its fields: an error of the database driver repeats the whole statement.
  console.error(error.stack.slice(0, 2000));
  cleanUp();
  process.exit(1);
}
