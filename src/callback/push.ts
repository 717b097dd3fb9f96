import type { XmlFields } from '../wechat-crypto/xml-fields.js';

/** What a push is by its text: either URL takes each of them. */
export const PUSH_KINDS = ['authorization', 'message', 'event'] as const;
export type PushKind = (typeof PUSH_KINDS)[number];

/**
 * What WeChat is answered, as `callback_event.outcome` has it: `success`, those 7 bytes; `empty`,
 * none at all; `reply`, the passive reply in that row.
 */
export type Outcome = 'success' | 'empty' | 'reply';

/** A push from WeChat, verified and decrypted. */
export interface Push {
  /** Id of its row in `callback_event`: UUID version 7. */
  id: string;
  kind: PushKind;
  componentAppId: string;
  /** The account whose message it is, or that an authorization event is about; null for none. */
  authorizerAppId: string | null;
  /** InfoType of an authorization event, else empty. */
  infoType: string;
  /** MsgType of a message or event (`text`, `event`, …). */
  msgType: string | null;
  /** Event of an event (`subscribe`, `CLICK`, …), in WeChat's case. */
  event: string | null;
  /** FromUserName: the user's openid. */
  fromUser: string | null;
  /** WeChat's CreateTime in Unix seconds, where it is a time. */
  createTime: number | null;
  /** When it arrived, in Unix milliseconds. */
  receivedAt: number;
  fields: XmlFields;
  /** The decrypted text as it came. */
  text: string;
  /** What `text` is: WeChat's XML, or the JSON that shops send. */
  format: 'xml' | 'json';
  /** Why `fields` is not all that the text says; null where it is. */
  problem: string | null;
}
