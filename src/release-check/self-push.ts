import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { ownNonce } from '../callback/own-push.js';
import { PUSH_BUDGET } from '../callback/push-budget.js';
import { Clock } from '../common/clock.js';
import { constantTimeEqual } from '../common/secret.js';
import type { Component } from '../component/component.js';
import { APP_CONFIG, type AppConfig } from '../config/app-config.js';
import { TICKET_INFO_TYPE, type Ticket } from '../ticket/ticket.js';
import { WechatCryptoService } from '../wechat-crypto/wechat-crypto.service.js';
import { wechatSignature } from '../wechat-crypto/wechat-signature.js';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';
import { fieldsXml } from '../wechat-crypto/wechat-xml.js';
import { remark } from '../common/remarks.js';

/** A little more than WeChat waits, in milliseconds: what is late shall be seen as late. */
const LIMIT_MS = PUSH_BUDGET.wechatWaits + 1000;
/** Longest answer that is read, in bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** How a push of the hub's own was answered. */
export interface SelfPushAnswer {
  status: number;
  body: string;
  milliseconds: number;
}

/** No answer came: the message names the cause. */
export class SelfPushError extends Error {
  constructor(
    message: string,
    readonly milliseconds: number,
  ) {
    super(message);
  }
}

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
   * @throws {SelfPushError}
   */
  async send(
    component: Component,
    path: string,
    outer: Record<string, string>,
    fields: Record<string, string | number>,
  ): Promise<SelfPushAnswer> {
    const { url, body } = this.signed(component, path, outer, fields);
    return post(url, body);
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

async function post(url: string, body: string): Promise<SelfPushAnswer> {
  const started = performance.now();
  const elapsed = (): number => Math.round(performance.now() - started);
  try {
    const response = await fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/xml' },
      redirect: 'manual',
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const text = await readBounded(response);
    return { status: response.status, body: text, milliseconds: elapsed() };
  } catch (error) {
    throw new SelfPushError(causeOf(error), elapsed());
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** `fetch failed` says nothing; the error below it has a code: refused, name unknown, TLS. */
function causeOf(error: unknown): string {
  if ((error as Error).name === 'TimeoutError') return remark('check_silent', { ms: LIMIT_MS });
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  const parts = [cause?.code, cause?.message].filter(Boolean);
  return parts.length > 0 ? parts.join(': ') : message;
}
