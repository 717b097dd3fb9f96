import { randomInt } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { unixSeconds } from '../common/times.js';
import { constantTimeEqual } from '../common/secret.js';
import {
  decodeEncodingAesKey,
  wechatDecrypt,
  wechatEncrypt,
  type WechatPlaintext,
} from './wechat-cipher.js';
import { WechatCryptoErrcode, WechatCryptoError } from './wechat-crypto.error.js';
import { wechatSignature } from './wechat-signature.js';
import { cdata, parseWechatEnvelope, parseWechatXml } from './wechat-xml.js';
import type { XmlFields } from './xml-fields.js';

/** A push as it arrives: the query's parameters and the body's `Encrypt`. */
export interface SignedEnvelope {
  timestamp: string;
  nonce: string;
  msgSignature: string;
  encrypt: string;
}

/** A reply as it leaves; sign with what you put in. */
export interface ReplyEnvelope {
  timestamp: string;
  nonce: string;
  msgSignature: string;
  encrypt: string;
}

/** Whose reply it is. */
export interface ReplySender {
  token: string;
  key: Buffer;
  /** The component's. */
  appid: string;
}

/** What a reply is signed with, beside its Token. */
export interface ReplyStamp {
  /** Unix seconds. */
  timestamp: string;
  nonce?: string;
  random?: Buffer;
}

/** Reads and writes WeChat's secure-mode envelopes (加密解密技术方案). Keeps no state. */
@Injectable()
export class WechatCryptoService {
  /**
   * Whether `msg_signature` was made with this token; compared in constant time.
   */
  signatureMatches(token: string, push: SignedEnvelope): boolean {
    const expected = wechatSignature(token, push.timestamp, push.nonce, push.encrypt);
    return constantTimeEqual(expected, push.msgSignature);
  }

  /** Whether `signature` of a GET with `echostr` was made with this token. */
  urlSignatureMatches(
    token: string,
    { signature, timestamp, nonce }: { signature: string; timestamp: string; nonce: string },
  ): boolean {
    return constantTimeEqual(wechatSignature(token, timestamp, nonce), signature);
  }

  /**
   * Decrypts `Encrypt` and checks that the tail is `appid`.
   * @param key 32 bytes, see {@link decodeEncodingAesKey}.
   * @throws {WechatCryptoError} -40005, -40007, -40008 or -40010
   */
  decrypt(key: Buffer, encrypt: string, appid: string): string {
    return this.open(key, encrypt, appid).message;
  }

  /** {@link decrypt}, with what is to be known of the message. */
  open(key: Buffer, encrypt: string, appid: string): WechatPlaintext {
    const plaintext = wechatDecrypt(key, encrypt);
    if (!constantTimeEqual(plaintext.tailId, appid)) {
      throw new WechatCryptoError(
        WechatCryptoErrcode.appidMismatch,
        'The message was encrypted for another appid',
      );
    }
    return plaintext;
  }

  /**
   * The reply's XML: encrypted and signed, with a random nonce unless `stamp` has one.
   */
  reply({ token, key, appid }: ReplySender, message: string, stamp: ReplyStamp): string {
    const envelope = this.seal(token, key, { message, tailId: appid }, stamp);
    return (
      `<xml><Encrypt>${cdata(envelope.encrypt)}</Encrypt>` +
      `<MsgSignature>${cdata(envelope.msgSignature)}</MsgSignature>` +
      `<TimeStamp>${envelope.timestamp}</TimeStamp>` +
      `<Nonce>${cdata(envelope.nonce)}</Nonce></xml>`
    );
  }

  /**
   * The same as JSON, for pushes that are JSON: `TimeStamp` is a number, the rest text (小程序
   * 消息推送, safe mode, whose example a test reproduces).
   */
  replyJson({ token, key, appid }: ReplySender, message: string, stamp: ReplyStamp): string {
    const envelope = this.seal(token, key, { message, tailId: appid }, stamp);
    return JSON.stringify({
      Encrypt: envelope.encrypt,
      MsgSignature: envelope.msgSignature,
      TimeStamp: Number(envelope.timestamp),
      Nonce: envelope.nonce,
    });
  }

  /** Encrypts and signs; {@link reply} is its XML, {@link replyJson} its JSON. */
  seal(token: string, key: Buffer, plaintext: WechatPlaintext, stamp: ReplyStamp): ReplyEnvelope {
    if (unixSeconds(stamp.timestamp) === undefined) {
      throw new WechatCryptoError(
        WechatCryptoErrcode.replyXmlFailed,
        'A reply needs a timestamp in Unix seconds',
      );
    }
    const { timestamp, nonce = String(randomInt(100_000_000, 999_999_999)) } = stamp;
    const encrypt = wechatEncrypt(key, plaintext, stamp.random);
    const msgSignature = wechatSignature(token, timestamp, nonce, encrypt);
    return { timestamp, nonce, msgSignature, encrypt };
  }

  /** @throws {WechatCryptoError} -40004 */
  decodeKey(encodingAesKey: string): Buffer {
    return decodeEncodingAesKey(encodingAesKey);
  }

  /** The outer document of a push: see {@link parseWechatEnvelope}. @throws {WechatCryptoError} -40002 */
  parseEnvelope(xml: string): XmlFields {
    return parseWechatEnvelope(xml);
  }

  /** @throws {WechatCryptoError} -40002 */
  parseXml(xml: string): XmlFields {
    return parseWechatXml(xml);
  }
}
