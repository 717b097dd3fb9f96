import type { FakeComponent } from './fake-component.js';
import { eventFields, messageFields } from './message-fields.js';
import { messageText, type MessageFields, type MessageFormat } from './push-text.js';
import { cdata, pushHeaders, sealPush, type PushOverrides } from './push-builder.js';
import { SimulatorError } from './wechat-error.js';

/** Departures from what WeChat would send, for tests of what must be refused. */
export interface MessageOverrides extends Omit<PushOverrides, 'outerAppId'> {
  /** ToUserName of the outer, unencrypted document. */
  outerToUserName?: string;
}

/** What a message or event is made of. */
export interface MessageSource {
  /** `event` for events. */
  msgType: string;
  /** Of an event. */
  event?: string | undefined;
  /** Replace, add or (`null`) leave out fields; the usual ones are there without it. */
  fields?: MessageFields | undefined;
  /** The account's original id, `gh_…`. */
  toUserName: string;
  /** The user's openid. */
  fromUser: string;
  /** Unix seconds. */
  createTime: number;
  /** Decimal digits; `null` for none, as events have none. */
  msgId: string | null;
  format: MessageFormat;
}

/** A message or event, ready to be encrypted as often as it is sent. */
export interface ReadyMessage {
  component: FakeComponent;
  /** Appid. */
  account: string;
  toUserName: string;
  fromUser: string;
  createTime: number;
  msgId: string | null;
  format: MessageFormat;
  isEvent: boolean;
  plaintext: string;
  /** The message URL of the account. */
  url: string;
  overrides: MessageOverrides;
}

/** A message as it travels: the URL carries the signature. */
export interface SealedMessage {
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** The hub's message URL of a component, with `$APPID$`, given its auth URL. */
export function messageUrlOf({
  messageUrl,
  pushUrl,
}: Pick<FakeComponent, 'messageUrl' | 'pushUrl'>): string | null {
  if (messageUrl !== null) return messageUrl;
  return pushUrl?.endsWith('/events') ? pushUrl.replace(/events$/, 'messages/$$APPID$$') : null;
}

/** The message URL with an account's appid in place of `$APPID$`; 409 where there is none. */
export function accountUrl(component: FakeComponent, account: string, url?: string): string {
  const target = url ?? messageUrlOf(component);
  if (!target) throw new SimulatorError(`${component.appid} has no messageUrl`, 409);
  return target.replaceAll('$APPID$', () => account);
}

/** The decrypted text: common fields, those of its type, MsgId last, as in captured messages. */
export function plaintextOf(source: MessageSource): string {
  const { msgType, event, fields, msgId } = source;
  const usual = event === undefined ? messageFields(msgType) : eventFields(event);
  const all: MessageFields = {
    ToUserName: source.toUserName,
    FromUserName: source.fromUser,
    CreateTime: source.createTime,
    MsgType: msgType,
    Event: event,
    ...usual,
    ...fields,
  };
  if (msgId !== null) all['MsgId'] = /^\d+$/.test(msgId) ? BigInt(msgId) : msgId;
  return messageText(all, source.format);
}

/** Encrypts and signs a message for one try, as WeChat does for the message URL. */
export function sealMessage(message: ReadyMessage, nowMs: number): SealedMessage {
  const { component, plaintext, overrides, format } = message;
  const { encrypted, params } = sealPush(component, nowMs, plaintext, overrides);
  const { signature, timestamp, nonce, ...rest } = params;
  const openid = message.fromUser;
  const query = new URLSearchParams({ signature, timestamp, nonce, openid, ...rest });
  const toUserName = overrides.outerToUserName ?? message.toUserName;
  return {
    url: `${message.url}${message.url.includes('?') ? '&' : '?'}${query}`,
    headers: pushHeaders(),
    body:
      format === 'json'
        ? JSON.stringify({ ToUserName: toUserName, Encrypt: encrypted })
        : `<xml><ToUserName>${cdata(toUserName)}</ToUserName><Encrypt>${cdata(encrypted)}</Encrypt></xml>`,
  };
}
