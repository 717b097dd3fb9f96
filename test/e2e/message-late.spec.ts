import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { authorizeByEvent, authorizerTick, calls, PLATFORM } from '../support/authorizer-world.js';
import { expectSuccess } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { deliveries, deliveryOf, settled, subscribe } from '../support/delivery-world.js';
import { ACCOUNT, pushMessage, textFields, USER, USER_NAME } from '../support/message-pushes.js';
import { messageHub, recordedMessages } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { eventually, prime } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const SEND = '/cgi-bin/message/custom/send';

describe.each(databaseKinds())('a reply that comes too late on %s', (kind) => {
  let test: TestApp;
  let service: WebhookReceiver;
  beforeAll(async () => {
    test = await messageHub({ database: kind });
    await prime(test);
    test.simulator.addAccounts({ appid: ACCOUNT, userName: USER_NAME });
    await authorizeByEvent(test, ACCOUNT, PLATFORM);
    await authorizerTick(test);
    service = await WebhookReceiver.start();
    await subscribe(test, service, { mode: 'responder', lateReply: true, budgetMs: 300 });
  });
  afterAll(async () => {
    await test.close();
    await service.close();
  });
  beforeEach(() => {
    test.simulator.clearCalls();
    test.simulator.clearCustomMessages();
  });

  /** A message is answered after WeChat has got its `success`; the last attempt of its delivery. */
  async function answeredLate(reply: unknown, account = ACCOUNT): Promise<any> {
    let open = (): void => undefined;
    const until = new Promise<void>((resolve) => (open = resolve));
    service.answer({ body: JSON.stringify(reply), until });
    expectSuccess(await pushMessage(test, textFields(test), { account }));
    open();
    await settled(test);
    const [latest] = await deliveries(test, { limit: '1' });
    return (await deliveryOf(test, latest.id)).history.at(-1);
  }

  it('is sent as a customer message of the account', async () => {
    const attempt = await answeredLate({ MsgType: 'text', Content: '来晚了 😀' });
    expect(test.simulator.customMessages()).toMatchObject([
      {
        component: PLATFORM,
        account: ACCOUNT,
        body: { touser: USER, msgtype: 'text', text: { content: '来晚了 😀' } },
      },
    ]);
    expect(attempt).toMatchObject({ cause: 'responder', status: 200 });
    expect((await recordedMessages(test)).at(-1)).toMatchObject({
      outcome: 'success',
      reply: null,
    });
  });

  it('is sent with a new token where WeChat refuses the one there is', async () => {
    test.simulator.expireAuthorizerTokens(PLATFORM, { account: ACCOUNT, errcode: 42001 });
    await answeredLate({ MsgType: 'text', Content: 'again' });
    await eventually('the message', () => test.simulator.customMessages()[0]);
    expect(calls(test, SEND)).toBe(2);
  });

  it('is not sent when it is no text, and the attempt says so', async () => {
    const attempt = await answeredLate({ MsgType: 'image', Image: { MediaId: 'm' } });
    expect(attempt.error).toMatch(/only a text/);
    expect(calls(test, SEND)).toBe(0);
  });

  it.each([
    ['WeChat refuses', ACCOUNT, /45015/],
    ['the account has no token', 'wxunknown000000001', /No such account/],
  ])('is not sent when %s, and the attempt says so', async (_, account, why) => {
    test.simulator.addFault({ path: SEND, kind: 'errcode', errcode: 45015, times: 1 });
    const attempt = await answeredLate({ MsgType: 'text', Content: 'a' }, account);
    test.simulator.removeFaults();
    expect(attempt.error).toMatch(why);
    expect(test.simulator.customMessages()).toEqual([]);
  });
});
