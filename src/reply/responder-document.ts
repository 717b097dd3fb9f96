import type { Push } from '../callback/push.js';
import { parseLenientJson } from '../common/lenient-json.js';
import { NOT_XML, parseWechatXml } from '../wechat-crypto/wechat-xml.js';
import { JsonNumber, jsonText } from './json-number.js';
import { fieldsXml } from './passive-reply-xml.js';
import { MAX_REPLY_BYTES } from './passive-reply.js';
import { ReplyInvalidError } from './reply-invalid.error.js';
import { remark } from '../common/remarks.js';

/** What WeChat pushes in, and wants to be answered in. */
export type DocumentFormat = Push['format'];

/** What a responder has answered, whatever it means. */
export interface ResponderDocument {
  format: DocumentFormat;
  /** As it came, but for an XML declaration: its charset was the answer's. */
  text: string;
  /** Numbers of JSON are {@link JsonNumber}; all that XML has is text. */
  fields: Record<string, unknown>;
}

const DECLARATION = /^<\?xml[^>]*\?>\s*/;
/** Most marks of a document that is larger than a reply; those of eight articles are a hundred. */
const MAX_MARKS = 1000;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/;
/** Fields with a number, bare or alone in CDATA. */
const NUMBER_FIELDS =
  /<([A-Za-z_][\w.-]*)\s*>(?:<!\[CDATA\[([-\d.]+)\]\]>|\s*([-\d.]+)\s*)<\/\1\s*>/g;

/**
 * Reads an answer by its content, as types are often wrong.
 * @throws {ReplyInvalidError} for anything but one JSON object or one `<xml>`.
 */
export function readDocument(text: string): ResponderDocument {
  if (text.startsWith('{')) return readJson(text);
  const plain = text.replace(DECLARATION, '');
  if (/^<xml[\s>]/.test(plain)) return { format: 'xml', text: plain, fields: readXml(plain) };
  if (/^<(!doctype\s+html|html)/i.test(plain)) throw new ReplyInvalidError(remark('reply_html'));
  if (plain.startsWith('<!')) throw new ReplyInvalidError(remark('reply_no_xml'));
  throw new ReplyInvalidError(remark(text.startsWith('[') ? 'reply_list' : 'reply_neither'));
}

/** A document as it is, where it has the format that is wanted, else the same in that format. */
export function documentAs(format: DocumentFormat, document: ResponderDocument): string {
  const { text, fields } = document;
  // What cannot be written is not passed on either: characters that XML forbids, however they came.
  const xml = document.format === 'xml' || format === 'xml' ? fieldsXml(fields) : '';
  if (document.format === 'xml' && NOT_XML.test(text)) {
    throw new ReplyInvalidError(remark('reply_character'));
  }
  if (document.format === format) return text;
  return format === 'xml' ? xml : jsonText(jsonFields(document));
}

/**
 * The fields for JSON. XML does not say what is a number; WeChat writes text in CDATA and numbers
 * bare, and so it is read.
 * @throws {ReplyInvalidError} for what JSON has no form for.
 */
export function jsonFields({ format, text, fields }: ResponderDocument): Record<string, unknown> {
  if (format === 'json') return fields;
  const outline = outlineOf(text);
  const numbers = new Map<string, boolean>();
  for (const [, name, inCdata, bare] of outline.matchAll(NUMBER_FIELDS)) {
    const key = `${name}=${inCdata ?? bare}`;
    const isNumber = bare !== undefined;
    if (numbers.has(key) && numbers.get(key) !== isNumber) {
      throw new ReplyInvalidError(remark('reply_mixed'));
    }
    numbers.set(key, isNumber);
  }
  return withNumbers(fields, numbers) as Record<string, unknown>;
}

/**
 * Parsing has to make every field, whether it is wanted or not. A long text is one field; what has
 * many and is larger than a reply can be is none.
 */
function refuseManyFields(text: string): void {
  if (text.length <= MAX_REPLY_BYTES) return;
  let marks = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '"') inString = !inString;
    else if (inString && character === '\\') at += 1;
    else if (!inString && ':,[{'.includes(character)) marks += 1;
  }
  if (marks > MAX_MARKS) {
    throw new ReplyInvalidError(remark('reply_too_many_fields', { limit: MAX_REPLY_BYTES }));
  }
}

function readJson(text: string): ResponderDocument {
  refuseManyFields(text);
  try {
    const digitsKept = (digits: string): JsonNumber => new JsonNumber(digits);
    const fields = parseLenientJson(text, digitsKept) as Record<string, unknown>;
    return { format: 'json', text: isStrictJson(text) ? text : jsonText(fields), fields };
  } catch (error) {
    throw new ReplyInvalidError(
      remark(error instanceof RangeError ? 'reply_json_deep' : 'reply_json_malformed'),
      error,
    );
  }
}

/** It may hold characters that a user typed, unescaped: WeChat should not have to read those. */
function isStrictJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function readXml(text: string): Record<string, unknown> {
  try {
    return parseWechatXml(text);
  } catch (error) {
    throw new ReplyInvalidError(remark('reply_xml_malformed'), error);
  }
}

/** Without comments, and with no text of CDATA but numbers. */
function outlineOf(xml: string): string {
  const outline = xml
    .replace(/<!\[CDATA\[([\s\S]*?)\]\]>/g, (all, text: string) => (NUMBER.test(text) ? all : 'c'))
    .replace(/<!--[\s\S]*?-->/g, '');
  const attributes = /<[A-Za-z_][\w.-]*\s+[^\s>/]/.test(outline);
  // Text behind an element's end, or before the start of one within it.
  const mixed = /<\/[\w.-]+\s*>\s*[^<\s]|[^<>\s]\s*<[A-Za-z_]/.test(outline);
  if (attributes || mixed) {
    throw new ReplyInvalidError(remark('reply_xml_mixed'));
  }
  return outline;
}

function withNumbers(value: unknown, numbers: Map<string, boolean>, name = ''): unknown {
  if (typeof value === 'string') {
    const digits = value.trim();
    const isNumber = NUMBER.test(digits) && numbers.get(`${name}=${digits}`) === true;
    return isNumber ? new JsonNumber(digits) : value;
  }
  if (Array.isArray(value)) return value.map((one) => withNumbers(one, numbers, name));
  const entries = Object.entries(value as object);
  return Object.fromEntries(entries.map(([key, one]) => [key, withNumbers(one, numbers, key)]));
}
