import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { EVENT_TYPES, eventFields, MESSAGE_TYPES, messageFields } from './message-fields.js';
import { readReplyXml } from './reply-xml.js';
import { TestClient } from './test-client.js';
import { field, Receiver } from './test-receiver.js';
import { signMessage } from './wechat-push-crypto.js';
import { WechatSimulator } from './wechat-simulator.js';

const ACCOUNT = 'wxaaaaaaaaaaaaaaaa';
const USER_NAME = 'gh_0a1b2c3d4e5f';
const USER = 'oAbCdEfGhIjKlMnOpQrStUvWxYz0';
const NOW_MS = 1_760_000_000_000;
const { appid, token } = SIMULATOR_COMPONENT;

let simulator: WechatSimulator;
let receiver: Receiver;
let base: string;

beforeEach(async () => {
  receiver = new Receiver();
  base = await receiver.start();
  simulator = await WechatSimulator.start({
    components: [SIMULATOR_COMPONENT],
    pushBaseUrl: base,
    now: () => NOW_MS,
  });
  simulator.accounts.add({ appid: ACCOUNT, userName: USER_NAME });
});

afterEach(async () => {
  await simulator.stop();
  await receiver.stop();
});

/** The fields of what was received last. */
function lastFields(): Record<string, unknown> {
  return readReplyXml(receiver.received.at(-1)?.text ?? '');
}

/** Fields as XML shows them: everything is text, a list of one is no list. */
function asText(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 1 ? asText(value[0]) : value.map(asText);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, asText(inner)]));
}

describe('a message', () => {
  it('looks like one of WeChat', async () => {
    const result = await simulator.messages.send(appid, ACCOUNT, { fromUser: USER });
    expect(result).toMatchObject({ outcome: 'success', createTime: 1.76e9, fromUser: USER });
    const [message] = receiver.received;
    if (!message) return expect.fail('nothing received');
    expect(message.path).toBe(`/callback/${appid}/messages/${ACCOUNT}`);
    expect(Object.keys(message.query)).toEqual([
      'signature',
      'timestamp',
      'nonce',
      'openid',
      'encrypt_type',
      'msg_signature',
    ]);
    expect(message.query).toMatchObject({ openid: USER, encrypt_type: 'aes' });
    expect(message.headers).toMatchObject({ 'content-type': 'text/xml' });
    const outer =
      /^<xml><ToUserName><!\[CDATA\[(.+?)\]\]><\/ToUserName><Encrypt><!\[CDATA\[(.+)\]\]><\/Encrypt><\/xml>$/.exec(
        message.body,
      );
    expect(outer?.[1]).toBe(USER_NAME);
    const { timestamp = '', nonce = '' } = message.query;
    expect(message.query['msg_signature']).toBe(
      signMessage(token, timestamp, nonce, outer?.[2] ?? ''),
    );
    expect(message.tailId).toBe(appid);
    expect(message.text).toBe(result.plaintext);
  });

  it.each(MESSAGE_TYPES)('can be of type %s', async (msgType) => {
    const { msgId } = await simulator.messages.send(appid, ACCOUNT, { msgType });
    expect(lastFields()).toEqual({
      ToUserName: USER_NAME,
      FromUserName: expect.stringMatching(/^o[\w-]{27}$/),
      CreateTime: '1760000000',
      MsgType: msgType,
      ...(asText(messageFields(msgType)) as object),
      MsgId: msgId,
    });
  });

  it('has a MsgId of its own that no double holds', async () => {
    const ids = new Set<string | null>();
    for (let count = 0; count < 5; count += 1) {
      ids.add((await simulator.messages.send(appid, ACCOUNT)).msgId);
    }
    expect(ids.size).toBe(5);
    for (const id of ids) {
      expect(BigInt(id ?? '') > 2n ** 53n && BigInt(id ?? '') < 2n ** 63n).toBe(true);
      expect(receiver.received.some(({ text }) => text.includes(`<MsgId>${id}</MsgId>`))).toBe(
        true,
      );
    }
  });

  it('takes fields, a user, an id and a time, and leaves out what is null', async () => {
    await simulator.messages.send(appid, ACCOUNT, {
      msgType: 'voice',
      fields: { Recognition: 'a ]]> b', Format: null, Nested: { Item: [{ A: 1 }, { A: 2 }] } },
      fromUser: USER,
      msgId: '7',
      createTime: 1_700_000_000,
    });
    expect(lastFields()).toEqual({
      ToUserName: USER_NAME,
      FromUserName: USER,
      CreateTime: '1700000000',
      MsgType: 'voice',
      MediaId: 'fake_voice_media_id',
      Recognition: 'a ]]> b',
      Nested: { Item: [{ A: '1' }, { A: '2' }] },
      MsgId: '7',
    });
  });

  it('can be of a type that nobody knows, without an id', async () => {
    await simulator.messages.send(appid, ACCOUNT, { msgType: 'new_type', msgId: null });
    expect(Object.keys(lastFields())).toEqual([
      'ToUserName',
      'FromUserName',
      'CreateTime',
      'MsgType',
    ]);
  });

  it('can be JSON inside and outside, with every digit of its id', async () => {
    const msgId = '9223372036854775807';
    await simulator.messages.send(appid, ACCOUNT, { format: 'json', msgId });
    const [message] = receiver.received;
    expect(JSON.parse(message?.body ?? '')).toEqual({
      ToUserName: USER_NAME,
      Encrypt: expect.any(String),
    });
    expect(message?.text).toContain(`"CreateTime":1760000000,`);
    expect(message?.text).toContain(`"MsgId":${msgId}}`);
    expect(JSON.parse(message?.text ?? '')).toMatchObject({ MsgType: 'text' });
  });

  it('can be for an account that was never added', async () => {
    const other = 'wxbbbbbbbbbbbbbbbb';
    await simulator.messages.send(appid, other);
    expect(receiver.received[0]?.path).toBe(`/callback/${appid}/messages/${other}`);
    expect(lastFields()['ToUserName']).toMatch(/^gh_[\da-f]{12}$/);
  });

  it('goes to the messageUrl of its component, if it has one', async () => {
    simulator.updateComponent(appid, { messageUrl: `${base}/wechat/$APPID$/in?env=a` });
    await simulator.messages.send(appid, ACCOUNT);
    expect(receiver.received[0]).toMatchObject({
      path: `/wechat/${ACCOUNT}/in`,
      query: { env: 'a', encrypt_type: 'aes' },
    });
    simulator.updateComponent(appid, { messageUrl: null });
    const usual = `${base}/callback/${appid}/messages/$APPID$`;
    expect(simulator.state().components[0]?.messageUrl).toBe(usual);
    simulator.updateComponent(appid, { pushUrl: null });
    await expect(simulator.messages.send(appid, ACCOUNT)).rejects.toThrow('no messageUrl');
  });

  it('can be built, tampered with and sent by somebody else', async () => {
    const built = simulator.messages.build(appid, ACCOUNT, {
      tailId: 'wxother',
      outerToUserName: 'gh_other',
      fields: { Content: 'hello' },
    });
    const { url, headers, body } = built;
    await fetch(url, { method: 'POST', headers, body });
    expect(receiver.received[0]).toMatchObject({ tailId: 'wxother', text: built.plaintext });
    expect(body).toContain('<![CDATA[gh_other]]>');
    expect(field(built.plaintext, 'Content')).toBe('hello');
  });
});

describe('an event', () => {
  it.each(EVENT_TYPES)('can be %s', async (event) => {
    const { msgId } = await simulator.messages.sendEvent(appid, ACCOUNT, { event });
    expect(msgId).toBeNull();
    expect(lastFields()).toEqual({
      ToUserName: USER_NAME,
      FromUserName: expect.any(String),
      CreateTime: '1760000000',
      MsgType: 'event',
      Event: event,
      ...(asText(eventFields(event)) as object),
    });
  });

  it('can be one that nobody knows', async () => {
    await simulator.messages.sendEvent(appid, ACCOUNT, {
      event: 'new_event',
      fields: { Extra: 'x' },
    });
    expect(lastFields()).toMatchObject({ Event: 'new_event', Extra: 'x' });
  });
});

describe('the control API', () => {
  it('sends messages and events', async () => {
    const client = new TestClient(simulator);
    const sent = await client.control('POST', '/send-message', {
      account: ACCOUNT,
      msgType: 'link',
      fields: { Title: 'by HTTP' },
    });
    expect(sent).toMatchObject({ outcome: 'success', account: ACCOUNT, component: appid });
    expect(lastFields()).toMatchObject({ MsgType: 'link', Title: 'by HTTP' });
    await client.control('POST', '/send-event', { account: ACCOUNT, event: 'SCAN' });
    expect(lastFields()).toMatchObject({ MsgType: 'event', Event: 'SCAN', EventKey: 'scene_1' });
  });

  it.each([
    ['/send-message', {}, 'account'],
    ['/send-message', { account: 7 }, 'account'],
    ['/send-message', { account: ACCOUNT, component: 'wxother' }, 'no component'],
    ['/send-message', { account: ACCOUNT, msgType: 7 }, 'msgType'],
    ['/send-message', { account: ACCOUNT, fields: 'x' }, 'fields'],
    ['/send-message', { account: ACCOUNT, msgId: 7 }, 'msgId'],
    ['/send-message', { account: ACCOUNT, format: 'yaml' }, 'format'],
    ['/send-message', { account: ACCOUNT, tries: 0 }, 'tries'],
    ['/send-message', { account: ACCOUNT, timeoutMs: -1 }, 'timeoutMs'],
    ['/send-event', { account: ACCOUNT }, 'event'],
  ])('refuses POST %s %j', async (path, body, reason) => {
    const answer = await new TestClient(simulator).control('POST', path, body);
    expect(answer).toEqual({ error: expect.stringContaining(reason) });
    expect(receiver.received).toEqual([]);
  });

  it('refuses a messageUrl that is none', () => {
    expect(() => simulator.updateComponent(appid, { messageUrl: 'ftp://x' })).toThrow('messageUrl');
  });
});
