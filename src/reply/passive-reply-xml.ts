import { HubError } from '../common/hub-error.js';
import { exactNumber, parseLenientJson } from '../common/lenient-json.js';
import { fieldsXml, parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import type { XmlFields } from '../wechat-crypto/xml-fields.js';
import {
  MAX_REPLY_BYTES,
  passiveReply,
  REPLY_TYPES,
  replyProblem,
  type PassiveReply,
} from './passive-reply.js';

/** Who a reply is from and to, and when. */
export interface ReplyHead {
  /** The user's openid. */
  toUserName: string;
  /** The account's original id, `gh_…`. */
  fromUserName: string;
  /** Unix seconds. */
  createTime: number;
}

/** Fields of a reply that are the hub's to say. */
const HEAD_NAMES = new Set(['ToUserName', 'FromUserName', 'CreateTime', 'MsgType']);

/** A reply can not be sent to WeChat; the message says why, and nothing of what it holds. */
export class ReplyInvalidError extends HubError {
  constructor(what: string, cause?: unknown) {
    super('reply_invalid', `The answer is no passive reply: ${what}`, { status: 502, cause });
  }
}

/** The XML of a reply of a known type. @throws {ReplyInvalidError} */
export function replyXml(head: ReplyHead, { MsgType, ...rest }: PassiveReply): string {
  const content: Record<string, unknown> = rest;
  if (Array.isArray(content.Articles)) {
    const { Articles: item } = content;
    return whole(head, MsgType, { ArticleCount: item.length, Articles: { item } });
  }
  return whole(head, MsgType, content);
}

/** Reads a reply as JSON gives it. @throws {ReplyInvalidError} */
export function readJsonReply(text: string): PassiveReply {
  let value: unknown;
  try {
    value = parseLenientJson(text, exactNumber);
  } catch (error) {
    throw new ReplyInvalidError('malformed JSON', error);
  }
  return checked(value as object);
}

/**
 * The XML of a reply that is XML already: read, checked, and written anew with the right head. A
 * type that the hub does not know is passed on with all its fields.
 * @throws {ReplyInvalidError}
 */
export function rewriteXmlReply(head: ReplyHead, text: string): string {
  const fields = parsed(text);
  const { MsgType: type } = fields;
  if (typeof type !== 'string' || type === '') throw new ReplyInvalidError('MsgType is missing');
  if (REPLY_TYPES.includes(type)) return replyXml(head, checked(withArticleList(fields)));
  const content = Object.entries(fields).filter(([name]) => !HEAD_NAMES.has(name));
  return whole(head, type, Object.fromEntries(content));
}

function parsed(text: string): XmlFields {
  try {
    return parseWechatXml(text.trim());
  } catch (error) {
    throw new ReplyInvalidError('malformed XML', error);
  }
}

function checked(value: object | null): PassiveReply {
  const type = (value as { MsgType?: unknown } | null)?.MsgType;
  if (typeof type !== 'string') throw new ReplyInvalidError('MsgType is missing');
  if (!REPLY_TYPES.includes(type)) {
    throw new ReplyInvalidError(`MsgType is none of ${REPLY_TYPES.join(', ')}`);
  }
  const reply = passiveReply.safeParse(value);
  if (!reply.success) throw new ReplyInvalidError(replyProblem(reply.error));
  return reply.data;
}

/** Articles as JSON has them: a list, also of one. */
function withArticleList(fields: XmlFields): object {
  const { Articles: articles } = fields;
  if (typeof articles !== 'object' || Array.isArray(articles)) return fields;
  return { ...fields, Articles: [articles.item].flat() };
}

function whole(head: ReplyHead, type: string, content: object): string {
  const fields = {
    ToUserName: head.toUserName,
    FromUserName: head.fromUserName,
    CreateTime: head.createTime,
    MsgType: type,
    ...content,
  };
  const xml = written(fields);
  if (Buffer.byteLength(xml) > MAX_REPLY_BYTES) {
    throw new ReplyInvalidError(`it has more than ${MAX_REPLY_BYTES} bytes`);
  }
  return xml;
}

function written(fields: object): string {
  try {
    return fieldsXml(fields);
  } catch (error) {
    throw new ReplyInvalidError((error as Error).message, error);
  }
}
