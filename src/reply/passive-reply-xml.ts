import { cdata, NOT_XML } from '../wechat-crypto/wechat-xml.js';
import { JsonNumber } from './json-number.js';

import { ReplyInvalidError } from './reply-invalid.error.js';
import { remark } from '../common/remarks.js';

const FIELD_NAME = /^[A-Za-z_][\w.-]*$/;

/**
 * Fields as WeChat writes them: text in CDATA, numbers bare, a list as its elements one after the
 * other. What is undefined is left out.
 * @throws {ReplyInvalidError} for what XML has no form for.
 */
export function fieldsXml(fields: object): string {
  return `<xml>${elements(fields)}</xml>`;
}

function elements(fields: object): string {
  return Object.entries(fields)
    .flatMap(([name, value]: [string, unknown]) => listOf(value).map((one) => element(name, one)))
    .join('');
}

function listOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) return [value];
  if (value.length === 0) throw new ReplyInvalidError(remark('reply_xml_empty_list'));
  return value;
}

function element(name: string, value: unknown): string {
  if (value === undefined) return '';
  if (!FIELD_NAME.test(name)) throw new ReplyInvalidError(remark('reply_xml_name'));
  return `<${name}>${contentOf(value)}</${name}>`;
}

function contentOf(value: unknown): string {
  if (value instanceof JsonNumber) return value.digits;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || Array.isArray(value)) {
    throw new ReplyInvalidError(remark('reply_xml_null'));
  }
  if (typeof value === 'object') return elements(value);
  const text = String(value);
  if (NOT_XML.test(text)) {
    throw new ReplyInvalidError(remark('reply_xml_character'));
  }
  return cdata(text);
}
