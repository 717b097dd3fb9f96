import type { DuplicateKeyInfo } from 'lossless-json';
import { parseLenientJson } from '../common/lenient-json.js';
import { WechatCryptoErrcode, WechatCryptoError } from './wechat-crypto.error.js';
import type { XmlFields, XmlValue } from './xml-fields.js';
import { remark } from '../common/remarks.js';

/** Deepest nesting that is accepted, as of XML. */
const MAX_DEPTH = 32;
/** Most fields of an envelope; WeChat's has two. */
const MAX_ENVELOPE_FIELDS = 200;
const BYTE_ORDER_MARK = '\uFEFF';
/** How much of malformed JSON is looked through, in characters. */
const SALVAGED_LENGTH = 64 * 1024;
/** A name with a text of bounded length, or a whole number. */
const PLAIN_FIELD =
  /"([A-Za-z_]\w{0,63})"\s{0,8}:\s{0,8}(?:"((?:[^"\\]|\\[^]){0,512})"|(-?\d{1,32}))/g;

/** Whether a push is JSON, as shops send it, and not XML: its content tells, its type does not. */
export function isJsonText(text: string): boolean {
  return /^\uFEFF?[ \t\r\n]*\{/.test(text);
}

/** How far a JSON text could be read; `problem` is null where that is all of it. */
export interface LooseJson {
  fields: XmlFields;
  problem: string | null;
}

/**
 * Reads the fields of a decrypted JSON push as those of XML are: every value is text. Numbers keep
 * their digits, whatever their length; `true`, `false` and `null` become `true`, `false` and empty;
 * a name that stands twice has a list. Of malformed JSON the plain fields that are clear are read.
 * Never throws.
 */
export function readLooseJson(text: string): LooseJson {
  let value: unknown;
  try {
    value = parseLenientJson(text, (digits) => digits, allValues());
  } catch (error) {
    const problem = remark(error instanceof RangeError ? 'json_deep' : 'json_malformed');
    return { fields: salvaged(text), problem };
  }
  if (!isObject(value)) return { fields: noFields(), problem: remark('json_no_object') };
  try {
    return { fields: toFields(value, 1), problem: null };
  } catch {
    return { fields: salvaged(text), problem: remark('json_deep') };
  }
}

/**
 * The values of one name as XML has a field that comes twice: in a list. It grows in its place: the
 * list of a name that comes a thousand times would else be copied as often.
 */
function allValues(): (duplicate: DuplicateKeyInfo) => unknown {
  const lists = new WeakSet<unknown[]>();
  return ({ oldValue, newValue }) => {
    const list = Array.isArray(oldValue) && lists.has(oldValue) ? oldValue : [oldValue].flat();
    lists.add(list);
    for (const value of [newValue].flat()) list.push(value);
    return list;
  };
}

/** Fields of texts and numbers of malformed JSON, wherever they stand: the first of each name. */
function salvaged(text: string): XmlFields {
  const fields = noFields();
  for (const [, name = '', quoted, number] of text
    .slice(0, SALVAGED_LENGTH)
    .matchAll(PLAIN_FIELD)) {
    if (name in fields) continue;
    fields[name] = number ?? unquoted(quoted ?? '');
  }
  return fields;
}

function unquoted(text: string): string {
  try {
    return String(parseLenientJson(`"${text}"`));
  } catch {
    return text;
  }
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
  const fields = noFields();
  for (const [name, value] of Object.entries(object)) fields[name] = toValue(value, depth);
  return fields;
}

function noFields(): XmlFields {
  return Object.create(null) as XmlFields;
}

function toValue(value: unknown, depth: number): XmlValue {
  if (typeof value === 'string') {
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
