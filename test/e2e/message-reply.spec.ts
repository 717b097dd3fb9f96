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
    ['a wrong type', { body: '{"MsgType":"sticker"}' }, /MsgType is none of/],
    ['a wrong shape', { body: '{"MsgType":"image","Image":"x"}' }, /Image/],
    ['words', { body: 'OK' }, /neither JSON nor XML/],
    ['NUL', { body: '{"MsgType":"text","Content":"a\\u0000"}' }, /character/],
    ['too long a text', text('内'.repeat(683)), /2047 bytes/],
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

  it('is told of a JSON message, and its answer is not taken for one', async () => {
    service.answer(text('not for shops'));
    const order = '3705115058471208928';
    const plaintext = JSON.stringify(eventFields(test, 'channels_ec_order_new')).replace(
      /\}$/,
      `,"order_info":{"order_id":${order}}}`,
    );
    expectSuccess(await sendMessage(test, jsonPush(test, plaintext)));
    expect(service.received[0]?.json.data).toMatchObject({
      event: 'channels_ec_order_new',
      fields: { order_info: { order_id: order } },
      raw: plaintext,
    });
    expect(await latest()).toMatchObject({ kind: 'event', outcome: 'success', payload: plaintext });
    await settled(test);
    expect((await deliveries(test))[0]).toMatchObject({ status: 'delivered' });
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
