import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIMULATOR_COMPONENT } from './defaults.js';
import { encryptedReply, Receiver } from './test-receiver.js';
import { WechatSimulator } from './wechat-simulator.js';

const ACCOUNT = 'wxaaaaaaaaaaaaaaaa';
const USER_NAME = 'gh_0a1b2c3d4e5f';
const USER = 'oAbCdEfGhIjKlMnOpQrStUvWxYz0';
const { appid } = SIMULATOR_COMPONENT;

let simulator: WechatSimulator;
let receiver: Receiver;

beforeEach(async () => {
  receiver = new Receiver();
  simulator = await WechatSimulator.start({
    components: [SIMULATOR_COMPONENT],
    pushBaseUrl: await receiver.start(),
  });
  simulator.accounts.add({ appid: ACCOUNT, userName: USER_NAME });
});

afterEach(async () => {
  await simulator.stop();
  await receiver.stop();
});

/** A text reply from the account to its user. */
function replyXml(changes: Record<string, string> = {}): string {
  const fields = {
    ToUserName: USER,
    FromUserName: USER_NAME,
    CreateTime: '1760000001',
    MsgType: 'text',
    Content: 'a]]]]><![CDATA[>b',
    ...changes,
  };
  const elements = Object.entries(fields).map(
    ([name, value]) => `<${name}><![CDATA[${value}]]></${name}>`,
  );
  return `<xml>${elements.join('')}</xml>`;
}

describe('an answer', () => {
  it.each([
    ['success', 'success'],
    ['', 'empty'],
  ])('%j ends it at once', async (body, outcome) => {
    receiver.answer = () => ({ body });
    const result = await simulator.messages.send(appid, ACCOUNT);
    expect(result).toMatchObject({ outcome, reply: null, problem: null });
    expect(result.tries).toHaveLength(1);
  });

  it('that is an encrypted reply is decrypted', async () => {
    receiver.answer = () => ({ body: encryptedReply(replyXml()) });
    const result = await simulator.messages.send(appid, ACCOUNT, { fromUser: USER });
    expect(result.outcome).toBe('reply');
    expect(result.reply).toEqual({
      xml: replyXml(),
      fields: {
        ToUserName: USER,
        FromUserName: USER_NAME,
        CreateTime: '1760000001',
        MsgType: 'text',
        Content: 'a]]>b',
      },
    });
    expect(result.tries).toHaveLength(1);
  });

  it.each([
    ['signed with another Token', encryptedReply(replyXml(), { token: 'x' }), 'signature'],
    ['with another id behind it', encryptedReply(replyXml(), { tailId: 'wxother' }), 'wxother'],
    [
      'under another key',
      encryptedReply(replyXml(), { encodingAesKey: 'B'.repeat(43) }),
      /padding|length/,
    ],
    ['for another user', encryptedReply(replyXml({ ToUserName: 'o' })), 'another user'],
    ['from another account', encryptedReply(replyXml({ FromUserName: 'gh' })), 'another account'],
    ['without MsgType', encryptedReply(replyXml({ MsgType: '' })), 'MsgType'],
    ['that is not encrypted', replyXml(), 'missing'],
    ['in JSON', '{"MsgType":"text"}', 'no element'],
    ['in HTML', '<!doctype html>', 'no element'],
    ['that breaks off', '<xml><Encrypt>abc', 'no element'],
    ['with crossed tags', '<xml><a>b</c></xml>', 'ends'],
    ['with something behind it', '<xml><a>b</a></xml><xml>', 'not one'],
    ['success with a line break', 'success\n', 'no element'],
  ])('%s is malformed, and WeChat asks no more', async (_name, body, problem) => {
    receiver.answer = () => ({ body });
    const result = await simulator.messages.send(appid, ACCOUNT, { fromUser: USER });
    expect(result).toMatchObject({ outcome: 'malformed', reply: null });
    expect(result.problem).toMatch(problem);
    expect(result.tries).toHaveLength(1);
  });
});

describe('an answer to a JSON message', () => {
  const reply = (changes: object = {}): string =>
    JSON.stringify({
      ToUserName: USER,
      FromUserName: USER_NAME,
      CreateTime: 1_760_000_001,
      MsgType: 'transfer_customer_service',
      ...changes,
    });
  const send = (body: string) => {
    receiver.answer = () => ({ body });
    return simulator.messages.send(appid, ACCOUNT, { fromUser: USER, format: 'json' });
  };

  it('that is an encrypted reply in JSON is decrypted', async () => {
    const { outcome, reply: read } = await send(encryptedReply(reply()));
    expect(outcome).toBe('reply');
    expect(read).toEqual({ xml: reply(), fields: JSON.parse(reply()) });
  });

  it.each([
    ['in XML', encryptedReply(replyXml()), 'no JSON'],
    [
      'with its time as text',
      encryptedReply(reply()).replace(/:(1760000000),/, ':"$1",'),
      'no number',
    ],
    ['signed with another Token', encryptedReply(reply(), { token: 'x' }), 'signature'],
    ['with a CreateTime of text', encryptedReply(reply({ CreateTime: '1' })), 'CreateTime'],
    ['for another user', encryptedReply(reply({ ToUserName: 'o' })), 'another user'],
    ['that is a result', encryptedReply('{"ErrCode":0}'), 'ToUserName is missing'],
    [
      'with a text that is too long',
      encryptedReply(reply({ MsgType: 'text', Content: 'a'.repeat(2048) })),
      '2047',
    ],
  ])('is malformed %s', async (_name, body, problem) => {
    const result = await send(body);
    expect(result).toMatchObject({ outcome: 'malformed', reply: null });
    expect(result.problem).toMatch(problem);
  });
});

describe('the result that an event asks for', () => {
  it.each(['xml', 'json'] as const)('is taken as %s', async (format) => {
    const result = format === 'json' ? '{"ErrCode":0}' : '<xml><ErrCode>0</ErrCode></xml>';
    receiver.answer = () => ({ body: encryptedReply(result) });
    const options = { event: 'xpay_goods_deliver_notify', format };
    const { outcome, reply } = await simulator.messages.sendEvent(appid, ACCOUNT, options);
    expect(outcome).toBe('reply');
    expect(reply?.xml).toBe(result);
  });
});

describe('a message without an answer', () => {
  it('is sent three times, the same each time under a new signature', async () => {
    receiver.answer = () => null;
    const result = await simulator.messages.send(appid, ACCOUNT, { timeoutMs: 300 });
    expect(result).toMatchObject({ outcome: 'unanswered', reply: null });
    expect(result.tries).toMatchObject(
      Array.from({ length: 3 }, () => ({ status: null, error: 'timeout after 300 ms' })),
    );
    expect(result.ms).toBeGreaterThanOrEqual(890);
    const { received } = receiver;
    expect(new Set(received.map(({ text }) => text))).toEqual(new Set([result.plaintext]));
    expect(new Set(received.map(({ query }) => query['nonce'])).size).toBe(3);
    expect(new Set(received.map(({ body }) => body)).size).toBe(3);
  });

  it('can be sent in the same bytes each time', async () => {
    receiver.answer = () => ({ status: 500, body: 'success' });
    const result = await simulator.messages.send(appid, ACCOUNT, {
      freshSignature: false,
      tries: 2,
    });
    expect(result.tries).toMatchObject([{ status: 500 }, { status: 500 }]);
    expect(result.outcome).toBe('refused');
    const [first, second] = receiver.received;
    expect(second).toMatchObject({ query: first?.query, body: first?.body });
  });

  it('is not sent again once a try is answered', async () => {
    receiver.answer = () => {
      const number = receiver.received.length;
      return number === 1 ? { status: 503 } : { body: encryptedReply(replyXml()) };
    };
    const result = await simulator.messages.send(appid, ACCOUNT, { fromUser: USER });
    expect(result.tries.map(({ outcome }) => outcome)).toEqual(['refused', 'reply']);
    expect(result.reply?.fields).toMatchObject({ MsgType: 'text' });
  });

  it('tells that nobody listens', async () => {
    await receiver.stop();
    const result = await simulator.messages.send(appid, ACCOUNT);
    expect(result.tries).toHaveLength(3);
    expect(result.tries[2]).toMatchObject({ status: null, code: 'ECONNREFUSED' });
  });

  it('does not keep the simulator from stopping', async () => {
    const arrived = new Promise<void>((resolve) => {
      receiver.answer = () => {
        resolve();
        return null;
      };
    });
    const pending = simulator.messages.send(appid, ACCOUNT);
    await arrived;
    await simulator.stop();
    expect((await pending).tries).toMatchObject([{ code: 'stopped' }]);
    await expect(simulator.messages.send(appid, ACCOUNT)).rejects.toThrow('stopped');
  });
});
