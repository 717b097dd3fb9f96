import type { ComponentSettings } from './fake-component.js';
import { newNonce, newPushRandom } from './random-values.js';
import { encryptPush, signMessage, signQuery } from './wechat-push-crypto.js';

/** Departures from what WeChat would send, for tests of what must be refused. */
export interface PushOverrides {
  /** Query `timestamp`, Unix seconds. */
  timestamp?: string | number;
  nonce?: string;
  /** Token to sign with. */
  token?: string;
  /** Key to encrypt with. */
  encodingAesKey?: string;
  /** Id behind the encrypted message. */
  tailId?: string;
  /** AppId of the outer, unencrypted XML. */
  outerAppId?: string;
  /** The 16 random bytes, as 32 hex digits. */
  randomHex?: string;
}

/** Departures of a ticket push. */
export interface TicketPushOverrides extends PushOverrides {
  ticket?: string;
  /** CreateTime of the decrypted XML, Unix seconds. */
  createTime?: number;
  /** AppId of the decrypted XML. */
  innerAppId?: string;
  infoType?: string;
  /** The whole decrypted text; then only a given `ticket` counts as issued. */
  plaintext?: string;
  /** `false`: WeChat never issued this ticket, so using it answers 61006. Default `true`. */
  issued?: boolean;
}

/** A push, ready to be sent by `push()`, by a test's `inject` or to be tampered with first. */
export interface BuiltPush {
  /** The component pushed for. */
  appid: string;
  /** Path of the auth URL with the query, e.g. `/callback/wx…/events?signature=…`. */
  path: string;
  /** The query without `?`. Not read when sending: `params` is. */
  query: string;
  params: Record<string, string>;
  headers: Record<string, string>;
  /** The outer XML. */
  body: string;
  /** The decrypted text, for comparison. */
  plaintext: string;
  /** Set for ticket pushes. */
  ticket: string | null;
  /** CreateTime of a ticket push, Unix seconds. */
  createTime: number | null;
}

/** The hub's auth URL of a component below its base URL. */
export function eventsUrl(baseUrl: string, appid: string): string {
  return `${baseUrl.replace(/\/+$/, '')}/callback/${appid}/events`;
}

/** A ciphertext and the query that signs it. */
export interface SealedPush {
  /** base64 */
  encrypted: string;
  params: Record<'signature' | 'timestamp' | 'nonce' | 'encrypt_type' | 'msg_signature', string>;
}

/** Encrypts and signs a plaintext as WeChat does for both callback URLs. */
export function sealPush(
  component: ComponentSettings,
  nowMs: number,
  plaintext: string,
  overrides: PushOverrides = {},
): SealedPush {
  const token = overrides.token ?? component.token;
  const timestamp = String(overrides.timestamp ?? Math.floor(nowMs / 1000));
  const nonce = overrides.nonce ?? newNonce();
  const encrypted = encryptPush({
    encodingAesKey: overrides.encodingAesKey ?? component.encodingAesKey,
    random: overrides.randomHex ? Buffer.from(overrides.randomHex, 'hex') : newPushRandom(),
    message: plaintext,
    tailId: overrides.tailId ?? component.appid,
  });
  const params = {
    signature: signQuery(token, timestamp, nonce),
    timestamp,
    nonce,
    encrypt_type: 'aes',
    msg_signature: signMessage(token, timestamp, nonce, encrypted),
  };
  return { encrypted, params };
}

/** Encrypts, signs and wraps a plaintext as WeChat does for the auth URL. */
export function buildPush(
  component: ComponentSettings & { pushUrl: string | null },
  nowMs: number,
  plaintext: string,
  overrides: PushOverrides = {},
): BuiltPush {
  const { encrypted, params } = sealPush(component, nowMs, plaintext, overrides);
  const query = new URLSearchParams(params).toString();
  const url = new URL(component.pushUrl ?? eventsUrl('http://hub.invalid', component.appid));
  return {
    appid: component.appid,
    path: `${url.pathname}?${query}`,
    query,
    params,
    headers: pushHeaders(),
    body: outerXml(overrides.outerAppId ?? component.appid, encrypted),
    plaintext,
    ticket: null,
    createTime: null,
  };
}

/** The decrypted text of a ticket push, laid out as in captured pushes. */
export function ticketXml(
  appid: string,
  createTime: number,
  ticket: string,
  infoType = 'component_verify_ticket',
): string {
  return (
    `<xml><AppId>${cdata(appid)}</AppId>\n` +
    `<CreateTime>${createTime}</CreateTime>\n` +
    `<InfoType>${cdata(infoType)}</InfoType>\n` +
    `<ComponentVerifyTicket>${cdata(ticket)}</ComponentVerifyTicket>\n</xml>`
  );
}

/** A string as WeChat writes it in XML; `]]>` inside is split over two sections. */
export function cdata(text: string): string {
  return `<![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}

function outerXml(appid: string, encrypted: string): string {
  return `<xml><AppId>${cdata(appid)}</AppId><Encrypt>${cdata(encrypted)}</Encrypt></xml>`;
}

/** Headers of real pushes (captured traffic): always text/xml, whatever is configured. */
export function pushHeaders(): Record<string, string> {
  return {
    'Content-Type': 'text/xml',
    'User-Agent': 'Mozilla/4.0',
    Accept: '*/*',
    Pragma: 'no-cache',
  };
}
