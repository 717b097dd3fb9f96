import { describe, expect, it } from 'vitest';
import type { Push } from '../callback/push.js';
import { Secret } from '../common/secret.js';
import { SecretBox } from '../secrets/secret-box.js';
import type { Subscription } from '../subscription/subscription.js';
import { WechatCryptoService } from '../wechat-crypto/wechat-crypto.service.js';
import { samplePush } from './sample-push.js';
import { WechatFormat } from './wechat-format.js';

const crypto = new WechatCryptoService();
const format = new WechatFormat(crypto, new SecretBox([{ id: 'one', key: Buffer.alloc(32, 1) }]));
const PLATFORM = 'wx0123456789abcdef';
const ACCOUNT = 'wxfedcba9876543210';
const TOKEN = 'aTokenOfTheSubscription';
const KEY = `${'Abc0'.repeat(10)}AbA`;
const AT = 1_700_000_000_000;

const subscription = {
  url: 'https://service.example.com/wx/$APPID$/callback?for=$APPID$',
  componentAppId: PLATFORM,
  authorizerAppId: null,
  kinds: null,
  types: null,
  format: 'wechat',
  token: new Secret(TOKEN),
  encodingAesKey: new Secret(KEY),
} as Subscription;
const message = samplePush('message', subscription, AT);

interface Sealing {
  token?: string;
  encodingAesKey?: string;
  appid?: string;
  json?: boolean;
}

/** An encrypted reply, as SDKs make it. */
function sealed(text: string, { token, encodingAesKey, appid, json }: Sealing = {}): string {
  const key = crypto.decodeKey(encodingAesKey ?? KEY);
  const sender = { token: token ?? TOKEN, key, appid: appid ?? PLATFORM };
  const stamp = { timestamp: '1700000000' };
  return json ? crypto.replyJson(sender, text, stamp) : crypto.reply(sender, text, stamp);
}

describe('the reply in an answer', () => {
  const XML = '<xml><MsgType>text</MsgType><Content>你好</Content></xml>';

  it.each([
    ['that is encrypted', sealed(XML), XML],
    ['in an envelope of JSON', sealed(XML, { json: true }), XML],
    ['with space around its elements', sealed(XML).replaceAll('><', '>\n  <'), XML],
    ['that says nothing', ' \n', ''],
    ['that is success', 'success\n', 'success'],
    ['that is success, encrypted', sealed('success'), 'success'],
  ])('%s is what was encrypted', (_, answer, expected) => {
    expect(format.reply(answer, message, subscription)).toBe(expected);
  });

  it.each([
    ['that is not encrypted', XML, 'it is not encrypted'],
    ['in JSON that is not encrypted', '{"MsgType":"text"}', 'it is not encrypted'],
    ['that is a page', '<html></html>', 'it is HTML'],
    ['under another Token', sealed(XML, { token: 'other' }), 'its MsgSignature'],
    ['without a signature', '<xml><Encrypt>AAAA</Encrypt></xml>', 'its MsgSignature'],
    ['under another key', sealed(XML, { encodingAesKey: 'B'.repeat(43) }), 'it does not decrypt'],
    ['for another appid', sealed(XML, { appid: ACCOUNT }), 'encrypted for another appid'],
  ])('%s is refused', (_, answer, why) => {
    expect(() => format.reply(answer, message, subscription)).toThrow(why);
  });
});

describe('the address', () => {
  const addressOf = (push: Push, url = subscription.url): string =>
    format.post(push, { ...subscription, url }, AT).url;

  it.each([
    [
      'of a message names the account',
      message,
      `/wx/${ACCOUNT}/callback?for=${ACCOUNT}&signature=`,
    ],
    [
      'of what is for no account names the platform',
      { ...message, authorizerAppId: null },
      `/wx/${PLATFORM}/callback?for=${PLATFORM}&signature=`,
    ],
    [
      'cannot be changed by an account of any name',
      { ...message, authorizerAppId: '../x?y#z&$&' },
      '/wx/..%2Fx%3Fy%23z%26%24%26/callback?for=..%2Fx%3Fy%23z%26%24%26&signature=',
    ],
  ])('%s', (_, push, expected) => {
    expect(addressOf(push)).toContain(`https://service.example.com${expected}`);
  });

  it('has its host from the subscription alone', () => {
    const { host } = new URL(addressOf(message, 'https://$APPID$.example.com/'));
    expect(host).toBe('$appid$.example.com');
  });
});
