import { appendFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where every log line of the test run goes, to be searched for secrets afterwards. */
export const LOG_FOLDER = join(import.meta.dirname, '../../.test-output/logs');

/** Appends to the log of this test worker. */
export function writeTestLog(line: string): void {
  appendFileSync(join(LOG_FOLDER, `worker-${process.pid}.log`), line);
}
