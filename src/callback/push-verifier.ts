import { isUtf8 } from 'node:buffer';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { emitTelemetry } from '../common/telemetry.js';
import type { Component, Rotating } from '../component/component.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import type { WechatPlaintext } from '../wechat-crypto/wechat-cipher.js';
import { WechatCryptoErrcode, WechatCryptoError } from '../wechat-crypto/wechat-crypto.error.js';
import {
  WechatCryptoService,
  type SignedEnvelope,
} from '../wechat-crypto/wechat-crypto.service.js';
import { readPushText, type PushText } from '../wechat-crypto/push-text.js';
import { isJsonText, parseJsonEnvelope } from '../wechat-crypto/wechat-json.js';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';
import type { PushQuery, UrlCheckQuery } from './callback-query.js';
import { textField } from './push-fields.js';

/** Which generation of Token and EncodingAESKey a push came under. */
export type KeyUsed = 'current' | 'previous';

/** A push that passed every check. */
export interface VerifiedPush extends PushText {
  /** The Token and key that worked: a reply is signed and encrypted with them. */
  token: string;
  key: Buffer;
  keyUsed: KeyUsed;
  /** The decrypted text as it came. */
  text: string;
  /** The outer document: the signature covers its `Encrypt` only. */
  outer: XmlFields;
}

interface Candidate<T> {
  value: T;
  keyUsed: KeyUsed;
}

/** The checks that stand before everything else: nothing unverified gets past here. */
@Injectable()
export class PushVerifier {
  constructor(
    private readonly crypto: WechatCryptoService,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /**
   * Verifies and decrypts a push: signature, time window, outer AppId, AES, tail appid; the
   * caller compares what the decrypted fields name. Nothing that the text itself says or lacks is a
   * reason to refuse it.
   * @throws {WechatCryptoError | HubError}
   */
  verify(component: Component, query: PushQuery, body: Buffer | undefined): VerifiedPush {
    const envelope = decodeBody(body);
    const outer = isJsonText(envelope)
      ? parseJsonEnvelope(envelope)
      : this.crypto.parseEnvelope(envelope);
    const push: SignedEnvelope = { ...query, encrypt: textField(outer, 'Encrypt') };
    const token = this.signingToken(component, (candidate) =>
      this.crypto.signatureMatches(candidate, push),
    );
    this.checkTimestamp(query.timestamp);
    if (outer.AppId !== undefined && outer.AppId !== component.appid) throw outerMismatch();
    const { message: text, replaced, key, keyUsed } = this.decrypt(component, push.encrypt);
    const previous = keyUsed === 'previous' || token.keyUsed === 'previous';
    if (previous) emitTelemetry('callback.previous_key', { componentAppId: component.appid });
    const read = readPushText(text);
    return {
      ...read,
      problem: replaced ? 'The text is in no known encoding' : read.problem,
      token: token.value,
      key,
      keyUsed: previous ? 'previous' : 'current',
      text,
      outer,
    };
  }

  /**
   * Checks the GET with `echostr` that WeChat's console sends to a URL.
   * @throws {WechatCryptoError | HubError}
   */
  verifyUrlCheck(component: Component, query: UrlCheckQuery): void {
    this.signingToken(component, (token) => this.crypto.urlSignatureMatches(token, query));
    this.checkTimestamp(query.timestamp);
  }

  private signingToken(
    component: Component,
    matches: (token: string) => boolean,
  ): Candidate<string> {
    const found = candidates(component.token).find(({ value }) => matches(value.reveal()));
    if (!found) {
      throw new WechatCryptoError(
        WechatCryptoErrcode.signatureMismatch,
        'The signature does not match; check the Token in the WeChat console',
      );
    }
    return { value: found.value.reveal(), keyUsed: found.keyUsed };
  }

  private decrypt(
    component: Component,
    encrypt: string,
  ): WechatPlaintext & { key: Buffer; keyUsed: KeyUsed } {
    let failure: unknown;
    for (const { value, keyUsed } of candidates(component.encodingAesKey)) {
      try {
        const key = this.crypto.decodeKey(value.reveal());
        return { ...this.crypto.open(key, encrypt, component.appid), key, keyUsed };
      } catch (error) {
        // What the current key says is the better hint: most pushes are under it.
        failure ??= error;
      }
    }
    throw failure;
  }

  private checkTimestamp(timestamp: string): void {
    const seconds = /^\d{1,12}$/.test(timestamp) ? Number(timestamp) : NaN;
    const off = Math.abs(this.clock.now() / 1000 - seconds);
    if (!(off <= this.config.callbackTimestampWindowSeconds)) {
      throw new HubError(
        'timestamp_out_of_window',
        "The push's timestamp is too far from this server's clock",
        { status: 403, level: 'warn' },
      );
    }
  }
}

function candidates<T>({ current, previous }: Rotating<T>): Candidate<T>[] {
  const before = previous.map((value): Candidate<T> => ({ value, keyUsed: 'previous' }));
  return [{ value: current, keyUsed: 'current' }, ...before];
}

function decodeBody(body: Buffer = Buffer.alloc(0)): string {
  if (!isUtf8(body)) {
    throw new WechatCryptoError(WechatCryptoErrcode.xmlParseFailed, 'The body is not UTF-8');
  }
  return body.toString('utf8');
}

function outerMismatch(): WechatCryptoError {
  return new WechatCryptoError(
    WechatCryptoErrcode.appidMismatch,
    "The push's AppId is not the one of this URL",
  );
}
