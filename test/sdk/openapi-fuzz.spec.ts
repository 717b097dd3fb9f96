import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { authorizeByEvent, newAccount } from '../support/authorizer-world.js';
import { ADMIN_TOKEN } from '../support/fake-settings.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { prime } from '../support/token-world.js';
import { canRun, runPythonTool } from './sdk-toolchain.js';

const DOCUMENT = join(import.meta.dirname, '../../docs/openapi.json');
const CONFIG = join(import.meta.dirname, 'schemathesis.toml');
/** Longest run of the fuzz, in seconds. */
const LIMIT_SECONDS = 180;

describe.skipIf(!(await canRun('python')))('the API document', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await createTestApp({ database: 'sqlite' });
    await prime(test);
    await authorizeByEvent(test, newAccount(test));
  });
  afterAll(() => test?.close());

  it(
    'says what the hub answers to whatever it lets callers send',
    async () => {
      const { code, output } = await runPythonTool('schemathesis', [
        `--config-file=${CONFIG}`,
        'run',
        DOCUMENT,
        `--url=${test.hub.url}`,
        `--header=Authorization: Bearer ${ADMIN_TOKEN}`,
        '--max-examples=10',
        `--max-time=${LIMIT_SECONDS}`,
      ]);
      expect(code, output.slice(-20_000)).toBe(0);
    },
    3 * LIMIT_SECONDS * 1000,
  );
});
