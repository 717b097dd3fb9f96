import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  authorizeByEvent,
  authorizerHub,
  newAccount,
  PLATFORM,
} from '../support/authorizer-world.js';
import { blocks, SDK_SECTION, sectionOf } from '../support/clients-doc.js';
import type { TestApp } from '../support/test-app.js';
import { apiKey } from '../support/wx-world.js';
import { canRun, runSdk, type Language } from './sdk-toolchain.js';

/** What a program of each language is stored as; those of curl and Node run in the whole suite. */
const FILES: Record<Language, string> = {
  python: 'documented.py',
  go: 'documented.go',
  java: 'Client.java',
};

const PROGRAMS = blocks(sectionOf(SDK_SECTION)).filter(
  (block): block is { language: Language; text: string } => block.language in FILES,
);
const READY = await Promise.all(PROGRAMS.map(({ language }) => canRun(language)));

describe('the programs of docs/clients.md that need an SDK', () => {
  let test: TestApp;
  beforeAll(async () => {
    test = await authorizerHub({ database: 'sqlite' });
  });
  afterAll(() => test?.close());

  it('are there for each language', () => {
    expect(PROGRAMS.map(({ language }) => language)).toEqual(Object.keys(FILES));
  });

  it.each(PROGRAMS.filter((_, index) => READY[index]))(
    'in $language reach the user, though WeChat refuses the token that the hub has',
    async ({ language, text }) => {
      const folder = join(inject('sdkFolder'), 'documented');
      mkdirSync(folder, { recursive: true });
      const file = join(folder, FILES[language]);
      writeFileSync(file, text);
      const account = newAccount(test);
      await authorizeByEvent(test, account);
      const { key } = await apiKey(test, { authorizerAppIds: [account] });
      test.simulator.accounts.expireTokens(PLATFORM, { account, errcode: 40001 });
      const env = { HUB_URL: test.hub.url, HUB_KEY: key, APPID: account, OPENID: 'fake_openid' };
      expect(await runSdk({ language, program: file, source: true }, env)).toMatchObject({
        errcode: 0,
      });
      const sent = test.simulator.customMessages.last().filter((one) => one.account === account);
      expect(sent).toMatchObject([{ touser: 'fake_openid', body: { text: { content: 'hello' } } }]);
    },
  );
});
