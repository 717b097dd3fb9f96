import { Injectable } from '@nestjs/common';
import { replacedTextSecrets } from '../callback/event-secrets.js';
import type { Push } from '../callback/push.js';
import { HubError } from '../common/hub-error.js';
import { sealCode } from '../gateway/stand-in.js';
import { JsonNumber } from '../reply/json-number.js';
import { ReplyInvalidError } from '../reply/reply-invalid.error.js';
import { readDocument } from '../reply/responder-document.js';
import { SecretBox } from '../secrets/secret-box.js';
import type { Subscription } from '../subscription/subscription.js';
import { firstText } from '../wechat-crypto/push-text.js';
import { WechatCryptoService } from '../wechat-crypto/wechat-crypto.service.js';
import { wechatSignature } from '../wechat-crypto/wechat-signature.js';
import { cdata } from '../wechat-crypto/wechat-xml.js';
import { mayHoldCodes } from './push-body.js';
import { remark } from '../common/remarks.js';

/**
 * In the place of a ticket, and of any other secret that an SDK hands back to the hub alone or not at
 * all. Always the same: some SDKs fetch a token for every ticket that is new.
 */
const KEPT_BY_HUB = 'kept_by_the_hub';
/** Fields with a code that an SDK exchanges. */
const CODE_FIELDS = ['AuthorizationCode', 'auth_code'];
/** Stands in a subscription's URL for the account, as it does in WeChat's console. */
const ACCOUNT_MARK = /\$APPID\$/g;

/** What WeChat posts, for an SDK's server. */
export interface WechatPost {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** The keys of a subscription, revealed. */
interface Keys {
  token: string;
  key: Buffer;
}

/**
 * Pushes as WeChat posts them, under the Token and key of a subscription: encrypted for the
 * platform's appid, signed in the query, and answered by an encrypted reply (加密解密技术方案).
 */
@Injectable()
export class WechatFormat {
  constructor(
    private readonly crypto: WechatCryptoService,
    private readonly box: SecretBox,
  ) {}

  /** @param at Unix milliseconds. */
  post(push: Push, subscription: Subscription, at: number): WechatPost {
    const { token, key } = this.keysOf(subscription);
    const plaintext = { message: this.textFor(push), tailId: push.componentAppId };
    const stamp = { timestamp: String(Math.floor(at / 1000)) };
    const { timestamp, nonce, msgSignature, encrypt } = this.crypto.seal(
      token,
      key,
      plaintext,
      stamp,
    );
    const query = new URLSearchParams({
      signature: wechatSignature(token, timestamp, nonce),
      timestamp,
      nonce,
      ...(push.kind !== 'authorization' && push.fromUser !== null && { openid: push.fromUser }),
      encrypt_type: 'aes',
      msg_signature: msgSignature,
    });
    return {
      url: urlFor(subscription.url, push, query),
      // WeChat says so of JSON too.
      headers: { 'content-type': 'text/xml' },
      body: envelope(push, encrypt),
    };
  }

  /**
   * What is encrypted in an answer; as it is where it says nothing.
   * @throws {ReplyInvalidError} for one that is not encrypted under the subscription's Token and key:
   * WeChat takes none of a platform either.
   */
  reply(answer: string, push: Push, subscription: Subscription): string {
    const text = answer.trim();
    if (text === '' || text === 'success') return text;
    const { fields } = readDocument(text);
    const encrypt = textOf(fields.Encrypt);
    if (encrypt === '') throw new ReplyInvalidError(remark('reply_plain'));
    const { token, key } = this.keysOf(subscription);
    const sealed = {
      encrypt,
      msgSignature: textOf(fields.MsgSignature),
      timestamp: textOf(fields.TimeStamp),
      nonce: textOf(fields.Nonce),
    };
    if (!this.crypto.signatureMatches(token, sealed)) {
      throw new ReplyInvalidError(remark('reply_signature'));
    }
    try {
      return this.crypto.decrypt(key, encrypt, push.componentAppId);
    } catch (error) {
      const reason = error instanceof HubError ? error.message : remark('failed');
      throw new ReplyInvalidError(remark('reply_undecryptable', { reason }), error);
    }
  }

  private textFor(push: Push): string {
    if (!mayHoldCodes(push)) return push.text;
    return replacedTextSecrets(push, (name, secret) =>
      CODE_FIELDS.includes(name) && secret !== ''
        ? sealCode(push.componentAppId, secret, this.box)
        : KEPT_BY_HUB,
    );
  }

  private keysOf({ token, encodingAesKey }: Subscription): Keys {
    if (!token || !encodingAesKey) throw new Error('A subscription lacks its Token or key');
    return { token: token.reveal(), key: this.crypto.decodeKey(encodingAesKey.reveal()) };
  }
}

/** Outer document: an event of an authorization is for the platform, all else for an account. */
function envelope({ kind, componentAppId, fields, format }: Push, encrypt: string): string {
  const [name, receiver] =
    kind === 'authorization'
      ? ['AppId', componentAppId]
      : ['ToUserName', firstText(fields, 'ToUserName') ?? ''];
  if (format === 'json') return JSON.stringify({ [name]: receiver, Encrypt: encrypt });
  return `<xml><${name}>${cdata(receiver)}</${name}><Encrypt>${cdata(encrypt)}</Encrypt></xml>`;
}

/** The account is put into path and query only: it never decides which host is called. */
function urlFor(
  pattern: string,
  { authorizerAppId, componentAppId }: Push,
  query: URLSearchParams,
): string {
  const url = new URL(pattern);
  const account = encodeURIComponent(authorizerAppId ?? componentAppId);
  url.pathname = url.pathname.replace(ACCOUNT_MARK, account);
  const own = url.search.replace(ACCOUNT_MARK, account);
  url.search = own === '' ? `?${query}` : `${own}&${query}`;
  return url.href;
}

/** Of an envelope: the space around it is not part of what it says. */
function textOf(value: unknown): string {
  if (value instanceof JsonNumber) return value.digits;
  return typeof value === 'string' ? value.trim() : '';
}
