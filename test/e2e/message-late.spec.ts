import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gate } from '../support/gate.js';
import { eventually } from '../support/eventually.js';
import { authorizeByEvent, authorizerTick, calls, PLATFORM } from '../support/authorizer-world.js';
import { expectSuccess } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { deliveries, deliveryOf, settled, subscribe } from '../support/delivery-world.js';
import { openReply } from '../support/message-crypto.js';
import {
  ACCOUNT,
  eventFields,
  messagePush,
  pushMessage,
  sendMessage,
  textFields,
  triedAgain,
  USER,
  USER_NAME,
} from '../support/message-pushes.js';
import { messageHub, recordedMessages, replyText } from '../support/message-world.js';
import type { TestApp } from '../support/test-app.js';
import { prime } from '../support/token-world.js';
import { WebhookReceiver } from '../support/webhook-receiver.js';

const SEND = '/cgi-bin/message/custom/send';
/** 18 bytes each, so that no limit of bytes is at the end of one. */
const LONG = '👨‍👩‍👧'.repeat(300);

describe.each(databaseKinds())('a reply that comes too late on %s', (kind) => {
  let test: TestApp;
  let service: WebhookReceiver;
  let id: string;
  const change = (values: object) => test.hub.patch(`/admin/subscriptions/${id}`, values);
  /** Answers are in time … or not. */
  const widen = (values: object = {}) => change({ budgetMs: 4500, splitText: true, ...values });
  const narrow = () => change({ budgetMs: 300 });
  beforeAll(async () => {
    test = await messageHub({ database: kind });
    await prime(test);
    test.simulator.accounts.add({ appid: ACCOUNT, userName: USER_NAME });
    await authorizeByEvent(test, ACCOUNT, PLATFORM);
    await authorizerTick(test);
    service = await WebhookReceiver.start();
    const values = { mode: 'responder', lateReply: true, budgetMs: 300 };
    ({ id } = await subscribe(test, service, values));
  });
  afterAll(async () => {
    await test.close();
    await service.close();
  });
  beforeEach(async () => {
    await narrow();
    test.simulator.clearCalls();
    test.simulator.customMessages.clear();
  });

  /** A message is answered after WeChat has got its `success`; the last attempt of its delivery. */
  async function answeredLate(reply: unknown, account = ACCOUNT): Promise<any> {
    const { opened: until, open } = gate();
    service.answer({ body: JSON.stringify(reply), until });
    expectSuccess(await pushMessage(test, textFields(test), { account }));
    open();
    await settled(test);
    const [latest] = await deliveries(test, { limit: '1' });
    return (await deliveryOf(test, latest.id)).history.at(-1);
  }

  it('is sent as a customer message of the account', async () => {
    const attempt = await answeredLate({ MsgType: 'text', Content: '来晚了 😀' });
    expect(test.simulator.customMessages.last()).toMatchObject([
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
    test.simulator.accounts.expireTokens(PLATFORM, { account: ACCOUNT, errcode: 42001 });
    await answeredLate({ MsgType: 'text', Content: 'again' });
    await eventually('the message', () => test.simulator.customMessages.last()[0]);
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
    expect(test.simulator.customMessages.last()).toEqual([]);
  });

  /** What users are sent by the customer-service API, in its order. */
  const sentTexts = (): string[] =>
    test.simulator.customMessages
      .last()
      .map(({ body }) => (body.text as { content: string }).content);

  /** A message is answered in time; what WeChat got, and the last attempt of its delivery. */
  async function answeredInTime(content: string, account = ACCOUNT): Promise<[string, any]> {
    service.answer({ body: JSON.stringify({ MsgType: 'text', Content: content }) });
    const reply = replyText(await pushMessage(test, textFields(test), { account }));
    expect(sentTexts()).toEqual([]);
    await settled(test);
    const [latest] = await deliveries(test, { limit: '1' });
    return [reply, (await deliveryOf(test, latest.id)).history.at(-1)];
  }

  it('that is too long is sent in several, whole', async () => {
    const attempt = await answeredLate({ MsgType: 'text', Content: LONG });
    expect(sentTexts()).toHaveLength(3);
    expect(sentTexts().join('')).toBe(LONG);
    expect(attempt.error).toMatch(/sent as 3 customer-service messages/);
  });

  it('in time and too long leaves the rest to customer messages, behind the reply', async () => {
    await widen();
    const [reply, attempt] = await answeredInTime(LONG);
    expect(Buffer.byteLength(reply)).toBeGreaterThan(2000);
    expect(reply + sentTexts().join('')).toBe(LONG);
    expect(sentTexts()).toHaveLength(2);
    for (const text of [reply, ...sentTexts()]) {
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2047);
      expect(text).toMatch(/^(👨‍👩‍👧)+$/u);
    }
    expect(attempt).toMatchObject({
      status: 200,
      error: 'The text is longer than 2047 bytes; the rest was sent as 2 customer-service messages',
    });
  });

  it('in time and far too long is sent as far as WeChat takes it', async () => {
    await widen();
    const [reply, attempt] = await answeredInTime('a'.repeat(2047 * 8));
    expect(reply).toHaveLength(2047);
    expect(sentTexts().join('')).toHaveLength(2047 * 5);
    expect(attempt.error).toMatch(/5 of 7 customer-service messages with the rest were sent/);
  });

  it('in time and too long is cut where WeChat refuses the rest, and the attempt says so', async () => {
    await widen();
    test.simulator.addFault({ path: SEND, kind: 'errcode', errcode: 45047, times: 1 });
    const [reply, attempt] = await answeredInTime('b'.repeat(3000));
    test.simulator.removeFaults();
    expect(reply).toBe('b'.repeat(2047));
    expect(attempt.error).toMatch(/2047 bytes; the rest was not sent: .*45047/);
    expect(await deliveries(test, { limit: '1' })).toMatchObject([{ status: 'delivered' }]);
  });

  it('in time and too long is only cut where the subscription says so', async () => {
    await widen({ splitText: false });
    const [reply, attempt] = await answeredInTime('c'.repeat(3000));
    expect(reply).toBe('c'.repeat(2047));
    expect(calls(test, SEND)).toBe(0);
    expect(attempt.error).toBe('The text is longer than 2047 bytes and was cut: 953 were not sent');
  });

  it('is on record although WeChat refuses it with many words', async () => {
    const errmsg = '😀'.repeat(400);
    test.simulator.addFault({ path: SEND, kind: 'errcode', errcode: 45015, errmsg, times: 1 });
    const attempt = await answeredLate({ MsgType: 'text', Content: 'a' });
    test.simulator.removeFaults();
    expect(attempt).toMatchObject({ cause: 'responder', status: 200 });
    expect(attempt.error).toMatch(/^The late reply could not be sent.*45015 (😀)+$/u);
  });

  it('and is a result for an event waits for the push to come again', async () => {
    const { opened: until, open } = gate();
    service.answer({ body: '{"ErrCode":0,"ErrMsg":"success"}', until });
    const event = messagePush(test, eventFields(test, 'xpay_coin_pay_notify'));
    expectSuccess(await sendMessage(test, event));
    open();
    await settled(test);
    const [latest] = await deliveries(test, { limit: '1' });
    const { history } = await deliveryOf(test, latest.id);
    expect(history.at(-1).error).toMatch(/too late.*the push gets it when it comes again/);
    const again = await sendMessage(test, triedAgain(test, event));
    expect(openReply(again.text).xml).toMatch(/^<xml><ErrCode>0<\/ErrCode>/);
  });
});
