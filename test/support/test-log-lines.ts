import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOG_FOLDER } from './test-logs.js';

/**
 * Lines that hubs of this test worker have logged and that hold a text; give one that no other
 * test has, such as the appid of a platform that this test made up.
 */
export function logLines(containing: string): Record<string, unknown>[] {
  return readFileSync(join(LOG_FOLDER, `worker-${process.pid}.log`), 'utf8')
    .split('\n')
    .filter((line) => line.includes(containing))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
