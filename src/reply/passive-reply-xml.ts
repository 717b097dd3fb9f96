import { cdata, NOT_XML } from '../wechat-crypto/wechat-xml.js';
import { JsonNumber } from './json-number.js';

import { ReplyInvalidError } from './reply-invalid.error.js';

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
  if (value.length === 0) throw new ReplyInvalidError('XML has no form for an empty list');
  return value;
}

function element(name: string, value: unknown): string {
  if (value === undefined) return '';
  if (!FIELD_NAME.test(name)) throw new ReplyInvalidError('a field has a name that is none');
  return `<${name}>${contentOf(value)}</${name}>`;
}

function contentOf(value: unknown): string {
  if (value instanceof JsonNumber) return value.digits;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || Array.isArray(value)) {
    throw new ReplyInvalidError('XML has no form for null, nor for a list in a list');
  }
  if (typeof value === 'object') return elements(value);
  const text = String(value);
  if (NOT_XML.test(text)) {
    throw new ReplyInvalidError('a field holds a character that XML does not allow');
  }
  return cdata(text);
}
