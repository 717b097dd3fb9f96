import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ownNonce } from '../callback/own-push.js';
import { PUSH_BUDGET } from '../callback/push-budget.js';
import { Clock } from '../common/clock.js';
import { constantTimeEqual } from '../common/secret.js';
import { ask, type Asked } from '../common/ask.js';
import type { Component } from '../component/component.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { TICKET_INFO_TYPE, type Ticket } from '../ticket/ticket.js';
import { WechatCryptoService } from '../wechat-crypto/wechat-crypto.service.js';
import { wechatSignature } from '../wechat-crypto/wechat-signature.js';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';
import { fieldsXml } from '../wechat-crypto/wechat-xml.js';

/** A little more than WeChat waits, in milliseconds: what is late shall be seen as late. */
const LIMIT_MS = PUSH_BUDGET.wechatWaits + 1000;

/**
 * Pushes as WeChat does, to this installation: through `PUBLIC_URL`, under the platform's current
 * Token and key. Nothing else is reached: no redirect is followed.
 */
@Injectable()
export class SelfPush {
  constructor(
    private readonly crypto: WechatCryptoService,
    private readonly clock: Clock,
    @Inject(APP_CONFIG) private readonly config: AppConfig,
  ) {}

  /**
   * @param path below `/callback/<component>/`.
   * @param outer fields of the outer document beside `Encrypt`.
   * @throws {AskError}
   */
  send(
    component: Component,
    path: string,
    outer: Record<string, string>,
    fields: Record<string, string | number>,
  ): Promise<Asked> {
    const { url, body } = this.signed(component, path, outer, fields);
    return ask(url, { body, limitMs: LIMIT_MS });
  }

  /** What {@link send} sends, and where to. */
  signed(
    component: Component,
    path: string,
    outer: Record<string, string>,
    fields: Record<string, string | number>,
  ): { url: string; body: string } {
    const { token, key } = this.secretsOf(component);
    const plaintext = { message: fieldsXml(fields), tailId: component.appid };
    const timestamp = String(this.seconds());
    const stamp = { timestamp, nonce: ownNonce(token) };
    const { encrypt, nonce, msgSignature } = this.crypto.seal(token, key, plaintext, stamp);
    const query = new URLSearchParams({
      signature: wechatSignature(token, timestamp, nonce),
      timestamp,
      nonce,
      encrypt_type: 'aes',
      msg_signature: msgSignature,
    });
    const url = `${this.config.publicUrl}/callback/${component.appid}/${path}?${query}`;
    return { url, body: fieldsXml({ ...outer, Encrypt: encrypt }) };
  }

  /** The newest ticket once more, with its own CreateTime: it replaces itself. */
  signedTicket(component: Component, ticket: Ticket): { url: string; body: string } {
    const { outer, fields } = ticketPush(component, ticket);
    return this.signed(component, 'events', outer, fields);
  }

  /** The GET by which WeChat's console checks a URL; its answer is `echostr` as it is. */
  urlCheck(component: Component): { url: string; echostr: string } {
    const { token } = this.secretsOf(component);
    const [timestamp, nonce] = [String(this.seconds()), ownNonce(token)];
    const echostr = String(randomInt(1e13, 1e14));
    const signature = wechatSignature(token, timestamp, nonce);
    const query = new URLSearchParams({ signature, timestamp, nonce, echostr });
    return { url: `${this.config.publicUrl}/callback/${component.appid}/events?${query}`, echostr };
  }

  /** The fields of an encrypted reply. @throws {HubError} for what WeChat could not read. */
  open(component: Component, body: string): XmlFields {
    const { token, key } = this.secretsOf(component);
    const { Encrypt, MsgSignature, TimeStamp, Nonce } = this.crypto.parseXml(body);
    const parts = [TimeStamp, Nonce, Encrypt].map((part) => (typeof part === 'string' ? part : ''));
    const expected = wechatSignature(token, ...parts);
    if (typeof MsgSignature !== 'string' || !constantTimeEqual(expected, MsgSignature)) {
      throw new Error('the signature of the reply is wrong');
    }
    return this.crypto.parseXml(this.crypto.decrypt(key, parts[2] ?? '', component.appid));
  }

  /** Now, in Unix seconds. */
  seconds(): number {
    return Math.floor(this.clock.now() / 1000);
  }

  private secretsOf({ token, encodingAesKey }: Component): { token: string; key: Buffer } {
    const key = this.crypto.decodeKey(encodingAesKey.current.reveal());
    return { token: token.current.reveal(), key };
  }
}

/** The push of a ticket, not signed yet. */
export function ticketPush(
  { appid }: Component,
  { createTime, ticket }: Ticket,
): { outer: Record<string, string>; fields: Record<string, string | number> } {
  return {
    outer: { AppId: appid },
    fields: {
      AppId: appid,
      CreateTime: createTime,
      InfoType: TICKET_INFO_TYPE,
      ComponentVerifyTicket: ticket.reveal(),
    },
  };
}
