import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { onTelemetry } from '../../src/common/telemetry.js';
import { passiveReplyExamples } from '../../src/reply/passive-reply.js';
import { expectSuccess } from '../support/callback-state.js';
import { databaseKinds } from '../support/databases.js';
import { deliveries, deliveryOf, settled, subscribe } from '../support/delivery-world.js';
import { COMPONENT } from '../support/fake-settings.js';
import type { Answer } from '../support/hub-client.js';
import { elementOf, openReply } from '../support/message-crypto.js';
import {
  eventFields,
  jsonPush,
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
import { WebhookReceiver, type WebhookAnswer } from '../support/webhook-receiver.js';

const PREVIOUS = { token: 'fakeTokenBefore', encodingAesKey: 'P'.repeat(43) };
const text = (content: string): WebhookAnswer => ({
  body: JSON.stringify({ MsgType: 'text', Content: content }),
});

const RESULT_JSON = '{"ErrCode":0,"ErrMsg":"success"}';
const RESULT_XML = '<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>';

/** Bytes of text, and some as they are. */
const bytes = (...parts: (string | number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

describe.each(databaseKinds())('a responder on %s', (kind) => {
  let test: TestApp;
  let service: WebhookReceiver;
  beforeAll(async () => {
    test = await messageHub({
      database: kind,
      env: {
        WECHAT_COMPONENT_PREVIOUS_TOKEN: PREVIOUS.token,
        WECHAT_COMPONENT_PREVIOUS_ENCODING_AES_KEY: PREVIOUS.encodingAesKey,
      },
    });
    service = await WebhookReceiver.start();
    await subscribe(test, service, { mode: 'responder' });
  });
  afterAll(async () => {
    await test.close();
    await service.close();
  });
  beforeEach(() => service.clear());

  const latest = async () => (await recordedMessages(test)).at(-1);
  const push = (): Promise<Answer> => pushMessage(test, textFields(test));

  it('answers in the exact form of the protocol, with the nonce of the request', async () => {
    service.answer(text('你好 ]]> 😀'));
    test.clock.advance(2500);
    const sent = messagePush(test, textFields(test), { nonce: '415670741' });
    test.clock.advance(3000);
    const answer = await sendMessage(test, sent);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/xml; charset=utf-8');
    const { xml, tailId, timeStamp, nonce } = openReply(answer.text);
    expect(tailId).toBe(COMPONENT.appid);
    expect(nonce).toBe('415670741');
    expect(timeStamp).toBe(String(Math.floor(test.clock.now() / 1000)));
    expect(xml).toBe(
      `<xml><ToUserName><![CDATA[${USER}]]></ToUserName>` +
        `<FromUserName><![CDATA[${USER_NAME}]]></FromUserName>` +
        `<CreateTime>${timeStamp}</CreateTime><MsgType><![CDATA[text]]></MsgType>` +
        '<Content><![CDATA[你好 ]]]]><![CDATA[> 😀]]></Content></xml>',
    );
    expect(await latest()).toMatchObject({ outcome: 'reply', reply: xml });
  });

  it.each(passiveReplyExamples.map((example) => [example.MsgType, example] as const))(
    'may answer with %s',
    async (type, example) => {
      service.answer({ body: JSON.stringify(example) });
      const { xml } = openReply((await push()).text);
      expect(elementOf(xml, 'MsgType')).toBe(type);
      expect(elementOf(xml, 'ToUserName')).toBe(USER);
      for (const value of leaves(example)) expect(xml).toContain(`<![CDATA[${value}]]>`);
    },
  );

  it('may answer with ready XML, and to an event', async () => {
    service.answer({
      headers: { 'content-type': 'text/xml' },
      body: '<xml><ToUserName>a</ToUserName><MsgType>text</MsgType><Content>ready</Content></xml>',
    });
    const answer = await pushMessage(test, eventFields(test, 'subscribe'));
    expect(replyText(answer)).toBe('ready');
    expect(elementOf(openReply(answer.text).xml, 'ToUserName')).toBe(USER);
  });

  it('is answered under the Token and key that the message came with', async () => {
    service.answer(text('old'));
    const { text: body } = await pushMessage(test, textFields(test), PREVIOUS);
    expect(elementOf(openReply(body, PREVIOUS).xml, 'Content')).toBe('old');
    expect(() => openReply(body, COMPONENT)).toThrow('signature');
  });

  it.each<[string, WebhookAnswer]>([
    ['nothing', { body: '' }],
    ['no content', { status: 204 }],
    ['success', { body: ' success\n' }],
  ])('may answer with %s', async (_, answer) => {
    service.answer(answer);
    expectSuccess(await push());
    expect(service.received).toHaveLength(1);
    expect(await latest()).toMatchObject({ outcome: 'success', reply: null });
    await settled(test);
    expect((await deliveries(test))[0]).toMatchObject({ status: 'delivered' });
  });

  it.each<[string, WebhookAnswer, RegExp]>([
    ['HTML', { body: '<!DOCTYPE html><html></html>' }, /HTML/],
    ['an HTML fragment', { body: '<html><body>502</body></html>' }, /HTML/],
    ['2 MB', { body: `{"MsgType":"text","Content":"${'a'.repeat(2_000_000)}"}` }, /./],
    ['malformed JSON', { body: '{"MsgType":"text"' }, /malformed JSON/],
    ['malformed XML', { body: '<xml><MsgType>text</MsgType>' }, /malformed XML/],
    ['a wrong type', { body: '{"MsgType":"Text","Content":"a"}' }, /MsgType is text, in/],
    ['a result', { body: '{"ErrCode":0}' }, /MsgType is missing/],
    ['bytes of no UTF-8', { body: bytes('{"a":"', [0xc4, 0xe3], '"}') }, /not UTF-8/],
    [
      'bytes of another charset',
      { headers: { 'content-type': 'text/xml; charset=big5' }, body: bytes('<xml>', [0xff]) },
      /not big5, as it says/,
    ],
    [
      'an unknown charset',
      { headers: { 'content-type': 'text/xml; charset=utf-7' }, body: '<xml></xml>' },
      /charset that is not known/,
    ],
    ['a wrong shape', { body: '{"MsgType":"image","Image":"x"}' }, /Image/],
    ['words', { body: 'OK' }, /neither JSON nor XML/],
    ['NUL', { body: '{"MsgType":"text","Content":"a\\u0000"}' }, /character/],
    ['an error', { status: 500, body: '{"MsgType":"text","Content":"a"}' }, /500/],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }, /302/],
    ['a connection that is cut', { raw: (response) => response.destroy() }, /./],
  ])(
    'that answers with %s leaves WeChat with success, and an attempt that says why',
    async (...row) => {
      const [, answer, why] = row;
      service.answer(answer);
      const started = performance.now();
      expectSuccess(await push());
      expect(performance.now() - started).toBeLessThan(4800);
      await settled(test);
      const [pending] = await deliveries(test, { status: 'pending' });
      const { history: attempts } = await deliveryOf(test, pending.id);
      expect(attempts).toHaveLength(1);
      expect(attempts[0].error).toMatch(why);
      expect(await latest()).toMatchObject({ outcome: 'success', reply: null });
    },
  );

  it('that hangs delays no answer beyond its time, for 50 messages at once', async () => {
    service.answer({ hang: true });
    const seconds: number[] = [];
    const stop = onTelemetry('callback.push', (event) => seconds.push(event.seconds));
    // What a busy machine takes away is nobody's delay.
    const lag = monitorEventLoopDelay();
    lag.enable();
    const answers = await Promise.all(Array.from({ length: 50 }, push));
    lag.disable();
    stop();
    for (const answer of answers) expectSuccess(answer);
    expect(seconds).toHaveLength(50);
    service.hangUp();
    const slowest = Math.max(...seconds) * 1000;
    const stalled = lag.max / 1e6;
    console.log(
      `Slowest of 50 answers while the responder hangs, on ${kind}: ${slowest.toFixed(0)} ms ` +
        `(longest stall of the machine: ${stalled.toFixed(0)} ms)`,
    );
    expect(slowest - stalled).toBeLessThan(4800);
    expect(Math.min(...seconds)).toBeGreaterThan(4);
  });

  it.each<[string, 'xml' | 'json', WebhookAnswer, string]>([
    ['XML with XML', 'xml', { body: RESULT_XML }, RESULT_XML],
    ['XML with JSON', 'xml', { body: RESULT_JSON }, RESULT_XML],
    ['JSON with JSON', 'json', { body: ` ${RESULT_JSON}\n` }, RESULT_JSON],
    ['JSON with XML', 'json', { body: RESULT_XML }, RESULT_JSON],
    ['XML with a refusal', 'xml', { body: '{"ErrCode":-1}' }, '<xml><ErrCode>-1</ErrCode></xml>'],
  ])('may answer an event in %s that is no message', async (_, format, answer, expected) => {
    service.answer(answer);
    const OutTradeNo = `order of ${format} ${String(answer.body)}`;
    const fields = eventFields(test, 'xpay_goods_deliver_notify', { OutTradeNo });
    const sent =
      format === 'xml' ? messagePush(test, fields) : jsonPush(test, JSON.stringify(fields));
    const first = await sendMessage(test, sent);
    const { xml, tailId, nonce } = openReply(first.text);
    expect(xml).toBe(expected);
    expect(tailId).toBe(COMPONENT.appid);
    expect(sent.path).toContain(`nonce=${nonce}`);
    expect(first.headers.get('content-type')).toBe(
      format === 'xml' ? 'text/xml; charset=utf-8' : 'application/json; charset=utf-8',
    );
    service.answer({ body: '{"ErrCode":1}' });
    expect(openReply((await sendMessage(test, sent)).text).xml).toBe(expected);
    expect(service.received).toHaveLength(1);
    expect(await latest()).toMatchObject({ outcome: 'reply', reply: expected });
  });

  it('may answer a JSON message with a message, which is JSON too', async () => {
    service.answer(text('你好 😀'));
    const order = '3705115058471208928';
    const plaintext = JSON.stringify(eventFields(test, 'channels_ec_order_new')).replace(
      /\}$/,
      `,"order_info":{"order_id":${order}}}`,
    );
    const answer = await sendMessage(test, jsonPush(test, plaintext));
    const { xml, timeStamp } = openReply(answer.text);
    expect(JSON.parse(xml)).toEqual({
      ToUserName: USER,
      FromUserName: USER_NAME,
      CreateTime: Number(timeStamp),
      MsgType: 'text',
      Content: '你好 😀',
    });
    expect(service.received[0]?.json.data).toMatchObject({
      event: 'channels_ec_order_new',
      fields: { order_info: { order_id: order } },
      raw: plaintext,
    });
    expect(await latest()).toMatchObject({ kind: 'event', outcome: 'reply', payload: plaintext });
  });

  it('may leave a JSON message with success', async () => {
    service.answer({ body: '' });
    const event = JSON.stringify(eventFields(test, 'channels_ec_order_new', { n: 1 }));
    expectSuccess(await sendMessage(test, jsonPush(test, event)));
    await settled(test);
    expect((await deliveries(test))[0]).toMatchObject({ status: 'delivered' });
  });

  it('may answer in another charset', async () => {
    service.answer({
      headers: { 'content-type': 'application/xml; charset="GBK"' },
      body: bytes('<xml><MsgType>text</MsgType><Content>', [0xc4, 0xe3], '</Content></xml>'),
    });
    expect(replyText(await push())).toBe('你');
  });

  it('whose text is too long has as much of it sent as fits, and the attempt says so', async () => {
    service.answer(text(`${'内'.repeat(681)}👨‍👩‍👧b`));
    expect(replyText(await push())).toBe('内'.repeat(681));
    await settled(test);
    const [latestDelivery] = await deliveries(test, { limit: '1' });
    const { status, history } = await deliveryOf(test, latestDelivery.id);
    expect(status).toBe('delivered');
    // The account of these tests has no token.
    expect(history[0].error).toMatch(/longer than 2047 bytes.*the rest was not sent: No such acc/);
  });

  it('is asked once for what is pushed again, which gets the same reply', async () => {
    service.answer(text('once'));
    const sent = messagePush(test, textFields(test));
    const first = await sendMessage(test, sent);
    service.answer(text('twice'));
    const same = await sendMessage(test, sent);
    const again = await sendMessage(test, triedAgain(test, sent));
    expect([first, same, again].map(replyText)).toEqual(['once', 'once', 'once']);
    expect(openReply(again.text).xml).toBe(openReply(first.text).xml);
    expect(again.text).not.toBe(first.text);
    expect(service.received).toHaveLength(1);
  });
});

/** Every text within a value, but its MsgType. */
function leaves(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Object.entries(value as object).flatMap(([name, inner]) =>
    name === 'MsgType' ? [] : leaves(inner),
  );
}
