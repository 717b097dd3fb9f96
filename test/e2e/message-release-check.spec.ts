import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import {
  RELEASE_CHECK_ACCOUNTS,
  type ReleaseCheckAccount,
} from '../../src/callback/release-check-accounts.js';
import { ReleaseCheckService } from '../../src/release-check/release-check.service.js';
import {
  authorizeByEvent,
  authorizerTick,
  calls,
  PLATFORM,
  QUERY_AUTH,
} from '../support/authorizer-world.js';
import { expectSuccess } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { deliveries, settled, subscribe } from '../support/delivery-world.js';
import type { Answer } from '../support/hub-client.js';
import {
  eventFields,
  messagePush,
  sendMessage,
  textFields,
  triedAgain,
  USER,
  type Fields,
  type MessagePush,
} from '../support/message-pushes.js';
import { messageHub, recordedMessages, replyText } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { prime } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const SEND = '/cgi-bin/message/custom/send';
const official = RELEASE_CHECK_ACCOUNTS.filter(({ type }) => type === 'official_account');
const programs = RELEASE_CHECK_ACCOUNTS.filter(({ type }) => type === 'mini_program');
const one = (list: ReleaseCheckAccount[], index = 0): ReleaseCheckAccount =>
  list[index] as ReleaseCheckAccount;

describe.each(databaseKinds())('the release check on %s', (kind) => {
  let test: TestApp;
  let service: WebhookReceiver;
  beforeAll(async () => {
    test = await messageHub({ database: kind });
    await prime(test);
    service = await WebhookReceiver.start({ body: '{"MsgType":"text","Content":"not asked"}' });
    await subscribe(test, service, { mode: 'responder' });
    await subscribe(test, service, { kinds: ['message', 'event'] });
    for (const { appid, userName, type } of RELEASE_CHECK_ACCOUNTS) {
      test.simulator.accounts.add({ appid, userName, kind: type });
    }
  });
  afterAll(async () => {
    await test.close();
    await service.close();
  });
  beforeEach(() => {
    test.simulator.clearCalls();
    test.simulator.customMessages.clear();
    test.simulator.removeFaults();
  });

  const toAccount = (account: ReleaseCheckAccount, fields: Fields): MessagePush =>
    messagePush(test, { ...fields, ToUserName: account.userName }, { account: account.appid });
  const send = (account: ReleaseCheckAccount, fields: Fields): Promise<Answer> =>
    sendMessage(test, toAccount(account, fields));
  const codeText = (code: string): Fields =>
    textFields(test, { Content: `QUERY_AUTH_CODE:${code}` });
  const sentMessages = () =>
    test.simulator.customMessages
      .last()
      .map(({ account, touser, body }) => ({ account, touser, body }));
  const fromApi = ({ appid }: ReleaseCheckAccount, code: string) => ({
    account: appid,
    touser: USER,
    body: { touser: USER, msgtype: 'text', text: { content: `${code}_from_api` } },
  });
  const messageSent = (): Promise<unknown> =>
    eventually('the customer message', () => sentMessages()[0]);

  function expectEmpty(answer: Answer): void {
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(answer.headers.get('content-length')).toBe('0');
  }

  it.each(official)('answers the text to $appid', async (account) => {
    const answer = await send(
      account,
      textFields(test, { Content: 'TESTCOMPONENT_MSG_TYPE_TEXT' }),
    );
    expect(replyText(answer)).toBe('TESTCOMPONENT_MSG_TYPE_TEXT_callback');
  });

  it('answers any event of an official account, and none of a mini program', async () => {
    expect(replyText(await send(one(official), eventFields(test, 'LOCATION')))).toBe(
      'LOCATIONfrom_callback',
    );
    expectSuccess(await send(one(programs), eventFields(test, 'user_enter_tempsession')));
    expectSuccess(await send(one(official), textFields(test, { Content: 'hello' })));
  });

  it.each([one(official, 1), one(programs, 1)])(
    'exchanges the code that $type $appid is sent, and sends the message with its token',
    async (account) => {
      const { code } = await test.simulator.accounts.authorize(PLATFORM, account.appid, {
        push: false,
      });
      expectEmpty(await send(account, codeText(code)));
      await messageSent();
      expect(sentMessages()).toEqual([fromApi(account, code)]);
      expect(calls(test, QUERY_AUTH)).toBe(1);
    },
  );

  it('uses the token of a code that the event has brought before', async () => {
    const account = one(programs, 2);
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account.appid, {
      push: true,
    });
    await eventually('the exchange', () => (calls(test, QUERY_AUTH) === 1 ? true : undefined));
    expectEmpty(await send(account, codeText(code)));
    await messageSent();
    expect(sentMessages()).toEqual([fromApi(account, code)]);
    expect(calls(test, QUERY_AUTH)).toBe(1);
  });

  it('sends the message with a new token where WeChat refuses the one it has', async () => {
    const account = one(official, 3);
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account.appid, {
      push: true,
    });
    await eventually('the exchange', () => (calls(test, QUERY_AUTH) === 1 ? true : undefined));
    await authorizerTick(test);
    test.simulator.accounts.expireTokens(PLATFORM, { account: account.appid, errcode: 40001 });
    expectEmpty(await send(account, codeText(code)));
    await messageSent();
    expect(sentMessages()).toEqual([fromApi(account, code)]);
    expect(calls(test, SEND)).toBe(2);
  });

  it('tries the message again while WeChat is busy', async () => {
    const account = one(official, 2);
    await authorizeByEvent(test, account.appid);
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account.appid, {
      push: false,
    });
    test.simulator.addFault({ path: SEND, kind: 'errcode', errcode: -1, times: 2 });
    expectEmpty(await send(account, codeText(code)));
    await messageSent();
    expect(calls(test, SEND)).toBe(3);
  });

  it('is answered at once while WeChat’s API hangs, and the second time alike', async () => {
    const account = one(official, 4);
    const { code } = await test.simulator.accounts.authorize(PLATFORM, account.appid, {
      push: false,
    });
    test.simulator.addFault({ path: QUERY_AUTH, kind: 'hang', times: 1 });
    const push = toAccount(account, codeText(code));
    const started = performance.now();
    expectEmpty(await sendMessage(test, push));
    expect(performance.now() - started).toBeLessThan(2000);
    await test.simulator.waitForCall(QUERY_AUTH);
    expectEmpty(await sendMessage(test, push));
    expectEmpty(await sendMessage(test, triedAgain(test, push)));
    expect(test.simulator.release(QUERY_AUTH)).toBe(1);
    await messageSent();
    expect(sentMessages()).toHaveLength(1);
  });

  it('with a code that WeChat does not take is answered empty, and no message is sent', async () => {
    const code = 'queryauthcode@@@fake-never-given';
    expectEmpty(await send(one(official), codeText(code)));
    const outcome = await test.app.get(ReleaseCheckService).outcomeOf(PLATFORM, code);
    expect(outcome).toMatchObject({ ok: false, error: expect.stringMatching(/not accept/) });
    expect(sentMessages()).toEqual([]);
  });

  it('with no code is answered empty, and WeChat is not asked', async () => {
    expectEmpty(await send(one(official), codeText('')));
    expect(test.app.get(ReleaseCheckService).outcomeOf(PLATFORM, '')).toBeUndefined();
    expect(calls(test, QUERY_AUTH)).toBe(0);
  });

  it('was recorded, and nobody else was notified', async () => {
    await settled(test);
    const messages = await recordedMessages(test);
    expect(messages.length).toBeGreaterThan(10);
    expect(new Set(messages.map(({ outcome }) => outcome))).toEqual(
      new Set(['success', 'empty', 'reply']),
    );
    expect(service.received).toEqual([]);
    expect(await deliveries(test)).toEqual([]);
    // Another account is anybody's.
    expect(replyText(await sendMessage(test, messagePush(test, textFields(test))))).toBe(
      'not asked',
    );
  });
});
