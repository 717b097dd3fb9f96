import { jsonText } from './json-number.js';
import {
  MAX_REPLY_BYTES,
  MAX_TEXT_BYTES,
  passiveReply,
  REPLY_TYPES,
  replyProblem,
  type PassiveReply,
} from './passive-reply.js';
import { fieldsXml } from './passive-reply-xml.js';
import type { ReplyHead } from './reply-head.js';
import { ReplyInvalidError } from './reply-invalid.error.js';
import {
  documentAs,
  jsonFields,
  readDocument,
  type DocumentFormat,
  type ResponderDocument,
} from './responder-document.js';
import { fittingStart } from './text-parts.js';
import { remark } from '../common/remarks.js';

/** What WeChat is sent of a responder's answer. */
export interface ResponderReply {
  /** In the format of the push; not encrypted. */
  text: string;
  /** A message to the user, or what an event wants to know (an `ErrCode`). */
  kind: 'message' | 'result';
  /** All that a text message says to the user. */
  content?: string;
  /** What of it does not fit into `text`. */
  rest?: string;
}

/** What is to be known of the push that is answered. */
export interface AnsweredPush {
  format: DocumentFormat;
  /** A user's message: only a message can answer it. */
  fromUser: boolean;
  /** @throws {ReplyInvalidError} where a push does not say whom a message is for. */
  head: () => ReplyHead;
}

/** Fields of a reply that are the hub's to say. */
const HEAD_NAMES = new Set(['ToUserName', 'FromUserName', 'CreateTime', 'MsgType']);

/**
 * What an answer means: a message of a known type is checked, one of another gets its head only, and
 * what is no message is a result, passed on as it is.
 * @throws {ReplyInvalidError}
 */
export function responderReply(text: string, push: AnsweredPush): ResponderReply {
  const document = readDocument(text);
  const { MsgType: type } = document.fields;
  if (type === undefined && !push.fromUser) return result(document, push.format);
  if (typeof type !== 'string' || type === '') throw new ReplyInvalidError(remark('reply_no_type'));
  if (REPLY_TYPES.includes(type)) return message(document, push);
  refuseNearMiss(type);
  const fields = push.format === 'json' ? jsonFields(document) : document.fields;
  const content = Object.entries(fields).filter(([name]) => !HEAD_NAMES.has(name));
  const whole = { ...headFields(push.head(), type), ...Object.fromEntries(content) };
  return { text: written(push.format, whole), kind: 'message' };
}

/** A message of a known type, complete. @throws {ReplyInvalidError} */
export function messageText(
  format: DocumentFormat,
  head: ReplyHead,
  { MsgType, ...content }: PassiveReply,
): string {
  const fields = headFields(head, MsgType);
  if (!('Articles' in content)) return written(format, { ...fields, ...content });
  const { Articles } = content;
  const counted = { ...fields, ArticleCount: Articles.length };
  const list = format === 'json' ? Articles : { item: Articles };
  return written(format, { ...counted, Articles: list });
}

function result(document: ResponderDocument, format: DocumentFormat): ResponderReply {
  if (Object.keys(document.fields).length === 0)
    throw new ReplyInvalidError(remark('reply_no_field'));
  const text = documentAs(format, document);
  refuseTooLong(text);
  return { text, kind: 'result' };
}

function message({ format, fields }: ResponderDocument, push: AnsweredPush): ResponderReply {
  const parsed = passiveReply.safeParse(
    format === 'xml' ? withArticleList(fields) : withoutNulls(fields),
  );
  if (!parsed.success) throw new ReplyInvalidError(replyProblem(parsed.error));
  const reply = parsed.data;
  const head = push.head();
  const facts = { kind: 'message' as const };
  if (reply.MsgType !== 'text') return { ...facts, text: messageText(push.format, head, reply) };
  const { Content: content } = reply;
  const shown = fittingStart(content, MAX_TEXT_BYTES);
  const text = messageText(push.format, head, { ...reply, Content: shown });
  const rest = content.slice(shown.length);
  return { ...facts, text, content, ...(rest !== '' && { rest }) };
}

/** The same in another case: not a type that WeChat might have, but a slip that users would see. */
function refuseNearMiss(type: string): void {
  const meant = REPLY_TYPES.find((one) => one === type.trim().toLowerCase());
  if (meant) throw new ReplyInvalidError(remark('reply_near_type', { type: meant }));
}

/** Without what is null: serializers write it for what is not there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  const present = Object.entries(value).filter(([, one]) => one !== null);
  return Object.fromEntries(present.map(([name, one]) => [name, withoutNulls(one)]));
}

/** Articles as JSON has them: a list, also of one. */
function withArticleList(fields: Record<string, unknown>): object {
  const { Articles: articles } = fields;
  if (typeof articles !== 'object' || articles === null || Array.isArray(articles)) return fields;
  return { ...fields, Articles: [(articles as { item?: unknown }).item].flat() };
}

function headFields({ toUserName, fromUserName, createTime }: ReplyHead, MsgType: string): object {
  return { ToUserName: toUserName, FromUserName: fromUserName, CreateTime: createTime, MsgType };
}

function written(format: DocumentFormat, fields: object): string {
  const text = format === 'json' ? jsonText(fields) : fieldsXml(fields);
  refuseTooLong(text);
  return text;
}

function refuseTooLong(text: string): void {
  if (Buffer.byteLength(text) <= MAX_REPLY_BYTES) return;
  throw new ReplyInvalidError(remark('reply_too_long', { limit: MAX_REPLY_BYTES }));
}
