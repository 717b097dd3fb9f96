import type { ReadyMessage } from './message-builder.js';
import type { PushAnswer } from './push-transport.js';
import { readReplyXml } from './reply-xml.js';
import { decryptReply, signMessage } from './wechat-push-crypto.js';

/**
 * How WeChat takes an answer to a message:
 * - `success`, `empty`, `reply`: as documented; nothing more is sent.
 * - `malformed`: HTTP 200 with anything else; the user reads that the account is out of order.
 * - `refused`: another HTTP status; sent again.
 * - `unanswered`: no answer in time, or no connection; sent again.
 */
export type MessageOutcome = 'success' | 'empty' | 'reply' | 'malformed' | 'refused' | 'unanswered';

/** Longest text that is shown, in bytes; at more the user reads that the account is out of order. */
const MAX_TEXT_BYTES = 2047;

/** A passive reply (被动回复), or the result that an event asks for, decrypted and verified. */
export interface PassiveReply {
  /** XML, or JSON to a message that is JSON. */
  xml: string;
  fields: Record<string, unknown>;
}

/** What one answer comes to. */
export interface JudgedAnswer {
  outcome: MessageOutcome;
  reply: PassiveReply | null;
  /** What is wrong with a malformed answer. */
  problem: string | null;
}

/** Reads an answer as WeChat would. */
export function judgeAnswer(message: ReadyMessage, { status, body }: PushAnswer): JudgedAnswer {
  if (status === null) return judged('unanswered');
  if (status !== 200) return judged('refused');
  if (body === '') return judged('empty');
  if (body === 'success') return judged('success');
  try {
    return { outcome: 'reply', reply: openReply(message, body), problem: null };
  } catch (error) {
    return { outcome: 'malformed', reply: null, problem: (error as Error).message };
  }
}

function judged(outcome: MessageOutcome): JudgedAnswer {
  return { outcome, reply: null, problem: null };
}

/** Throws, with the reason, for what WeChat would not show to the user. */
function openReply(message: ReadyMessage, body: string): PassiveReply {
  const { appid, token, encodingAesKey } = message.component;
  const read = message.format === 'json' ? readReplyJson : readReplyXml;
  const outer = read(body) as Record<string, unknown>;
  if (message.format === 'json') takeNumber(outer, 'TimeStamp');
  const parts = ['TimeStamp', 'Nonce', 'Encrypt'].map((name) => textOf(outer, name));
  const [timestamp = '', nonce = '', encrypt = ''] = parts;
  if (signMessage(token, timestamp, nonce, encrypt) !== textOf(outer, 'MsgSignature')) {
    throw new Error('the signature of the reply is wrong');
  }
  const { message: xml, tailId } = decryptReply(encodingAesKey, encrypt);
  if (tailId !== appid) throw new Error(`the id behind the reply is ${tailId}`);
  const fields = read(xml) as Record<string, unknown>;
  // An event may ask for a result, which is no message to anybody.
  if (message.isEvent && fields['MsgType'] === undefined) return { xml, fields };
  if (textOf(fields, 'ToUserName') !== message.fromUser) throw new Error('it is for another user');
  if (textOf(fields, 'FromUserName') !== message.toUserName) {
    throw new Error('it is from another account');
  }
  textOf(
    message.format === 'json' ? takeNumber({ ...fields }, 'CreateTime') : fields,
    'CreateTime',
  );
  if (textOf(fields, 'MsgType') !== 'text') return { xml, fields };
  if (Buffer.byteLength(textOf(fields, 'Content')) > MAX_TEXT_BYTES) {
    throw new Error(`the text has more than ${MAX_TEXT_BYTES} bytes`);
  }
  return { xml, fields };
}

/** Makes a text of what JSON has as a number. */
function takeNumber(fields: Record<string, unknown>, name: string): Record<string, unknown> {
  if (!Number.isInteger(fields[name])) throw new Error(`${name} is no number`);
  fields[name] = String(fields[name]);
  return fields;
}

function textOf(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`${name} is missing`);
}

/** Reads the members of a JSON object; throws for anything else. */
function readReplyJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is no JSON');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new Error('it is no JSON object');
  }
  return value as Record<string, unknown>;
}
