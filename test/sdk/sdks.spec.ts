import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  AUTHORIZER_TOKEN,
  authorizeByEvent,
  calls,
  newAccount,
  PLATFORM,
  QUERY_AUTH,
} from '../support/authorizer-world.js';
import {
  errcodeMet,
  expectFewCalls,
  HubAnswers,
  SDK_REFUSALS,
  type SdkSetup,
} from '../support/sdk-refusals.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { EXCHANGE, prime } from '../support/token-world.js';
import { apiKey } from '../support/wx-world.js';
import { canRun, runSdk, type SdkProgram } from './sdk-toolchain.js';

/** An SDK as a client of the hub: what it is set up as, and the program that is made of it. */
interface Client extends SdkProgram {
  sdk: string;
  as: 'account' | 'platform';
}

const CLIENTS: Client[] = [
  { sdk: 'wechatpy', as: 'account', language: 'python', program: 'client.py', args: ['account'] },
  { sdk: 'wechatpy', as: 'platform', language: 'python', program: 'client.py', args: ['platform'] },
  { sdk: 'silenceper', as: 'account', language: 'go', program: 'client', args: ['account'] },
  { sdk: 'silenceper', as: 'platform', language: 'go', program: 'client', args: ['platform'] },
  { sdk: 'WxJava mp', as: 'account', language: 'java', program: 'Client', args: ['mp'] },
  { sdk: 'WxJava miniapp', as: 'account', language: 'java', program: 'Client', args: ['miniapp'] },
  { sdk: 'WxJava open', as: 'platform', language: 'java', program: 'Client', args: ['open'] },
];

const READY = await Promise.all(CLIENTS.map(({ language }) => canRun(language)));
const RUNNING = CLIENTS.filter((_, index) => READY[index]);

describe.skipIf(RUNNING.length === 0)('SDKs of other languages at the drop-in address', () => {
  let test: TestApp;
  let account: string;
  let key: string;
  let answers: HubAnswers;
  const file = randomBytes(100_000);
  const path = join(inject('sdkFolder'), 'a.png');
  beforeAll(async () => {
    writeFileSync(path, file);
    test = await createTestApp({ database: 'sqlite' });
    answers = new HubAnswers(test);
    await prime(test);
    account = newAccount(test);
    await authorizeByEvent(test, account);
    ({ key } = await apiKey(test));
  });
  afterAll(() => test?.close());

  const environment = (text: string): Record<string, string> => ({
    HUB_WX: `${test.hub.url}/wx`,
    PLATFORM,
    APPID: account,
    KEY: key,
    TEXT: text,
    FILE: path,
  });
  const STAND_IN = expect.stringMatching(/^[\w-]{33,512}$/);

  it.each(RUNNING)(
    '$sdk as $as sends a message, and moves a file up and down',
    async ({ as, ...client }) => {
      const text = `by ${client.sdk} as ${as}`;
      const result = await runSdk(
        { ...client, args: [...(client.args ?? []), 'everything'] },
        environment(text),
      );
      expect(result).toMatchObject({
        token: STAND_IN,
        sha256: createHash('sha256').update(file).digest('hex'),
      });
      if (as === 'platform') {
        expect(result).toMatchObject({
          componentToken: STAND_IN,
          preAuthCode: expect.stringMatching(/^preauthcode@@@/),
        });
      }
      expect(test.simulator.customMessages.last().at(-1)).toMatchObject({
        component: PLATFORM,
        account,
        body: { text: { content: text } },
      });
    },
  );

  it('had WeChat asked once for the token of the platform, and once for that of the account', () => {
    expect(calls(test, EXCHANGE)).toBe(1);
    expect(calls(test, QUERY_AUTH) + calls(test, AUTHORIZER_TOKEN)).toBe(1);
  });

  describe.each(RUNNING)('$sdk as $as stops after a few calls', ({ sdk, as, ...client }) => {
    const refusals = SDK_REFUSALS.filter((one) => errcodeMet(one, as) !== undefined);
    it.each(refusals)('that meet $what', async (refusal) => {
      // WxJava waits 1, 2, 4 … s after -1, five times.
      const atMost = sdk.startsWith('WxJava') && refusal.errcode === -1 ? 5 : undefined;
      const send = async (setup: SdkSetup): Promise<unknown> => {
        const program = { ...client, args: [...(client.args ?? []), 'message'] };
        const { error = 0 } = await runSdk(program, {
          ...environment('never'),
          APPID: setup.appid,
          KEY: setup.key,
          ...(setup.token && { TOKEN: setup.token }),
          ...(setup.componentToken && { COMPONENT_TOKEN: setup.componentToken }),
        });
        return error;
      };
      await expectFewCalls({ test, answers, key }, refusal, as, send, atMost);
    });
  });
});
