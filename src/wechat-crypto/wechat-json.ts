import { parse } from 'lossless-json';
import { WechatCryptoErrcode, WechatCryptoError } from './wechat-crypto.error.js';
import type { XmlFields, XmlValue } from './xml-fields.js';

/** Deepest nesting that is accepted, as of XML. */
const MAX_DEPTH = 32;
/** Most fields of an envelope; WeChat's has two. */
const MAX_ENVELOPE_FIELDS = 200;
const BYTE_ORDER_MARK = '\uFEFF';

/** Whether a push is JSON, as shops send it, and not XML: its content tells, its type does not. */
export function isJsonText(text: string): boolean {
  return /^\uFEFF?[ \t\r\n]*\{/.test(text);
}

/**
 * Reads the fields of a decrypted JSON push as those of XML are: every value is text. Numbers keep
 * their digits, whatever their length; `true`, `false` and `null` become `true`, `false` and empty.
 * @throws {WechatCryptoError} -40002 for anything that is not a bounded JSON object.
 */
export function parseWechatJson(text: string): XmlFields {
  const value = read(() => parse(withoutMark(text), undefined, (digits) => digits));
  if (!isObject(value)) throw jsonError('is not an object');
  return toFields(value, 1);
}

/**
 * Reads `{"ToUserName","Encrypt"}`, the outer document of a push, which nobody has verified yet:
 * only a flat object is read, so its time grows with the length alone.
 * @throws {WechatCryptoError} -40002 for anything else.
 */
export function parseJsonEnvelope(text: string): XmlFields {
  const flat = !text.includes('[') && text.indexOf('{') === text.lastIndexOf('{');
  if (!flat || text.split(',', MAX_ENVELOPE_FIELDS + 1).length > MAX_ENVELOPE_FIELDS) {
    throw jsonError('is not the envelope of a push');
  }
  const value = read(() => JSON.parse(withoutMark(text)) as unknown);
  if (!isObject(value)) throw jsonError('is not the envelope of a push');
  return toFields(value, 1);
}

function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

function read(parseText: () => unknown): unknown {
  try {
    return parseText();
  } catch (error) {
    // Nesting beyond the stack ends in a RangeError.
    throw jsonError(error instanceof RangeError ? 'is too deep' : 'is not well-formed', error);
  }
}

function toFields(object: Record<string, unknown>, depth: number): XmlFields {
  if (depth > MAX_DEPTH) throw jsonError('is too deep');
  const fields = Object.create(null) as XmlFields;
  for (const [name, value] of Object.entries(object)) fields[name] = toValue(value, depth);
  return fields;
}

function toValue(value: unknown, depth: number): XmlValue {
  if (typeof value === 'string') {
    if (value.includes('\0')) throw jsonError('contains NUL');
    return value;
  }
  if (Array.isArray(value)) {
    if (depth >= MAX_DEPTH) throw jsonError('is too deep');
    return value.map((item) => toValue(item, depth + 1));
  }
  if (isObject(value)) return toFields(value, depth + 1);
  return value === null ? '' : String(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function jsonError(what: string, cause?: unknown): WechatCryptoError {
  return new WechatCryptoError(WechatCryptoErrcode.xmlParseFailed, `The JSON ${what}`, cause);
}
