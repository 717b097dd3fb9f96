import { isUtf8 } from 'node:buffer';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../common/clock.js';
import { HubError } from '../common/hub-error.js';
import { emitTelemetry } from '../common/telemetry.js';
import type { Secret } from '../common/secret.js';
import { unixSeconds } from '../common/times.js';
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

/** A push that passed every check, decrypted. */
export interface VerifiedPush extends PushText {
  component: Component;
  query: PushQuery;
  /** The Token and key that worked: a reply is signed and encrypted with them. */
  token: Secret;
  encodingAesKey: Secret;
  keyUsed: KeyUsed;
  /** The decrypted text as it came. */
  text: string;
  /** The outer document: the signature covers its `Encrypt` only. */
  outer: XmlFields;
  /** What the outer document is, and so its reply's. */
  outerFormat: PushText['format'];
}

interface Candidate {
  value: Secret;
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
    const outerFormat = isJsonText(envelope) ? 'json' : 'xml';
    const outer =
      outerFormat === 'json' ? parseJsonEnvelope(envelope) : this.crypto.parseEnvelope(envelope);
    const encrypt = textField(outer, 'Encrypt');
    const { timestamp, nonce, msgSignature } = query;
    const push: SignedEnvelope = { timestamp, nonce, msgSignature, encrypt };
    const token = this.signingToken(component, (candidate) =>
      this.crypto.signatureMatches(candidate, push),
    );
    this.checkTimestamp(timestamp);
    if (outer.AppId !== undefined && outer.AppId !== component.appid) throw outerMismatch();
    const { opened, key } = this.decrypt(component, encrypt);
    const { message: text, replaced } = opened;
    const previous = key.keyUsed === 'previous' || token.keyUsed === 'previous';
    if (previous) emitTelemetry('callback.previous_key', { componentAppId: component.appid });
    const read = readPushText(text);
    // Written out, as every push comes by: copies of whole objects are among its dearest lines.
    return {
      format: read.format,
      fields: read.fields,
      component,
      query,
      problem: replaced ? 'The text is in no known encoding' : read.problem,
      token: token.value,
      encodingAesKey: key.value,
      keyUsed: previous ? 'previous' : 'current',
      text,
      outer,
      outerFormat,
    };
  }

  /**
   * Checks the GET with `echostr` that WeChat's console sends to a URL.
   * @returns the Token that it was signed with.
   * @throws {WechatCryptoError | HubError}
   */
  verifyUrlCheck(component: Component, query: UrlCheckQuery): Secret {
    const { value } = this.signingToken(component, (token) =>
      this.crypto.urlSignatureMatches(token, query),
    );
    this.checkTimestamp(query.timestamp);
    return value;
  }

  private signingToken(component: Component, matches: (token: string) => boolean): Candidate {
    const found = candidates(component.token).find(({ value }) => matches(value.reveal()));
    if (!found) {
      throw new WechatCryptoError(
        WechatCryptoErrcode.signatureMismatch,
        'The signature does not match; check the Token in the WeChat console',
      );
    }
    return found;
  }

  private decrypt(
    component: Component,
    encrypt: string,
  ): { opened: WechatPlaintext; key: Candidate } {
    let failure: unknown;
    for (const key of candidates(component.encodingAesKey)) {
      try {
        const bytes = this.crypto.decodeKey(key.value.reveal());
        return { opened: this.crypto.open(bytes, encrypt, component.appid), key };
      } catch (error) {
        // What the current key says is the better hint: most pushes are under it.
        failure ??= error;
      }
    }
    throw failure;
  }

  private checkTimestamp(timestamp: string): void {
    const seconds = unixSeconds(timestamp) ?? NaN;
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

function candidates({ current, previous }: Rotating): Candidate[] {
  const before = previous.map((value): Candidate => ({ value, keyUsed: 'previous' }));
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
