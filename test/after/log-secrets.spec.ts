import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, COMPONENT, MASTER_KEY } from '../support/fake-settings.js';
import { LOG_FOLDER } from '../support/test-logs.js';

/** What no log line may hold: the settings of the tests, and whatever the simulator issues. */
const SECRETS: Record<string, RegExp> = {
  AppSecret: literal(COMPONENT.appsecret),
  Token: literal(COMPONENT.token),
  EncodingAESKey: literal(COMPONENT.encodingAesKey),
  'admin token': literal(ADMIN_TOKEN),
  'master key': literal(MASTER_KEY.split(':')[1] ?? ''),
  'secret of a test': /fake-secret-[\w-]+/,
  ticket: /ticket@@@[\w-]{8,}/,
  'access token': /\b\d\d_[\w-]{100,}/,
};

function literal(text: string): RegExp {
  return new RegExp(text.replace(/[^\w]/g, '\\$&'));
}

describe('the log of the whole test run', () => {
  const lines = readdirSync(LOG_FOLDER).flatMap((file) =>
    readFileSync(join(LOG_FOLDER, file), 'utf8').split('\n'),
  );

  it('is there, so that the search means something', () => {
    expect(lines.length).toBeGreaterThan(1000);
    expect(lines.some((line) => line.includes('Refreshed a token'))).toBe(true);
  });

  it.each(Object.entries(SECRETS))('holds no %s', (_, pattern) => {
    expect(lines.filter((line) => pattern.test(line)).slice(0, 3)).toEqual([]);
  });
});
