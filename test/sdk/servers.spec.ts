import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAccount, PLATFORM, QUERY_AUTH } from '../support/authorizer-world.js';
import { deliveryHub, settled, subscribe } from '../support/delivery-world.js';
import { pushMessage, textFields } from '../support/message-pushes.js';
import { replyText } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { calls, prime } from '../support/token-world.js';
import { apiKey } from '../support/wx-world.js';
import { canRun, startSdk, type SdkProgram } from './sdk-toolchain.js';

/**
 * A program that takes pushes as WeChat sends them: it prints its port, then each push that it has
 * taken, as lines of JSON, and answers a text by `echo` and the text.
 */
interface Server extends SdkProgram {
  sdk: string;
}

const SERVERS: Server[] = [{ sdk: 'wechatpy', language: 'python', program: 'server.py' }];

const READY = await Promise.all(SERVERS.map(({ language }) => canRun(language)));
const RUNNING = SERVERS.filter((_, index) => READY[index]);

const KEYS = { token: 'aTokenOfTheSubscription', encodingAesKey: `${'Abc0'.repeat(10)}AbA` };
const WECHAT = { format: 'wechat', componentAppId: PLATFORM, ...KEYS };

describe.each(RUNNING)('the server of $sdk behind the hub', (program) => {
  let test: TestApp;
  let account: string;
  let child: ReturnType<typeof startSdk>;
  const shown: Record<string, unknown>[] = [];
  beforeAll(async () => {
    test = await deliveryHub({ database: 'sqlite' });
    await prime(test);
    account = newAccount(test);
    child = startSdk(program, {
      HUB_WX: `${test.hub.url}/wx`,
      PLATFORM,
      KEY: (await apiKey(test)).key,
      TOKEN: KEYS.token,
      ENCODING_AES_KEY: KEYS.encodingAesKey,
    });
    child.stderr?.pipe(process.stderr);
    const lines = createInterface({ input: child.stdout! });
    const [first] = (await once(lines, 'line')) as [string];
    lines.on('line', (line) => shown.push(JSON.parse(line)));
    const url = `http://127.0.0.1:${JSON.parse(first).port}`;
    await subscribe(test, { url: `${url}/events` }, { ...WECHAT, kinds: ['authorization'] });
    await subscribe(
      test,
      { url: `${url}/$APPID$/messages` },
      { ...WECHAT, mode: 'responder', kinds: ['message'] },
    );
  });
  afterAll(async () => {
    child?.kill();
    await test?.close();
  });

  it('keeps a ticket, by which it calls WeChat through the hub', async () => {
    await test.simulator.pushTicket(PLATFORM);
    await settled(test);
    expect(shown.at(-1)).toMatchObject({
      type: 'component_verify_ticket',
      ticket: expect.stringMatching(/^[\w-]+$/),
      preAuthCode: expect.stringMatching(/^preauthcode@@@/),
    });
  });

  it('exchanges the code of an authorization, which WeChat is asked for once', async () => {
    await test.simulator.accounts.authorize(PLATFORM, account, { push: true });
    await settled(test);
    expect(shown.at(-1)).toMatchObject({ type: 'authorized', account });
    expect(calls(test, QUERY_AUTH)).toBe(1);
  });

  it('has its encrypted reply reach the user', async () => {
    const answer = await pushMessage(test, textFields(test, { Content: '你好' }), { account });
    expect(replyText(answer)).toBe('echo 你好');
    expect(shown.at(-1)).toMatchObject({ path: `/${account}/messages`, content: '你好' });
  });
});
