import { readLooseXml } from './loose-xml.js';
import { parseFlatXml } from './wechat-flat-xml.js';
import { isJsonText, readLooseJson } from './wechat-json.js';
import { parseWechatXml } from './wechat-xml.js';
import type { XmlFields, XmlValue } from './xml-fields.js';

const SPACED_CDATA = />[ \t\r\n]{1,64}<!\[CDATA\[|\]\]>[ \t\r\n]{1,64}<\//;

/** The decrypted text of a push, read as far as it can be. */
export interface PushText {
  /** What the text is: WeChat's XML, or the JSON that shops and mini programs send. */
  format: 'xml' | 'json';
  fields: XmlFields;
  /** Why `fields` is not all that the text says; null where it is. Holds nothing of the text. */
  problem: string | null;
}

/**
 * Reads the text of a push. What is signed is never refused for its text: well-formed documents
 * are read as every parser reads them, others as far as they go. Never throws.
 */
export function readPushText(text: string): PushText {
  if (isJsonText(text)) return { format: 'json', ...readLooseJson(text) };
  const flat = parseFlatXml(text);
  if (flat) return { format: 'xml', fields: flat, problem: null };
  try {
    const fields = parseWechatXml(text);
    return { format: 'xml', fields: withoutSpace(text, fields), problem: null };
  } catch {
    return { format: 'xml', ...readLooseXml(text) };
  }
}

/** The space around CDATA is not part of what WeChat means; a strict parser keeps it. */
function withoutSpace(text: string, strict: XmlFields): XmlFields {
  if (!SPACED_CDATA.test(text)) return strict;
  const { fields, problem } = readLooseXml(text);
  return problem === null && isSameButForSpace(strict, fields) ? fields : strict;
}

function isSameButForSpace(strict: XmlValue, loose: XmlValue | undefined): boolean {
  if (typeof strict === 'string') {
    return typeof loose === 'string' && strict.includes(loose) && strict.trim() === loose.trim();
  }
  if (typeof loose !== 'object' || Array.isArray(strict) !== Array.isArray(loose)) return false;
  const pairs = Object.entries(strict) as [string, XmlValue][];
  return (
    pairs.length === Object.keys(loose).length &&
    pairs.every(([key, value]) => isSameButForSpace(value, (loose as XmlFields)[key]))
  );
}

/** The text of a field; the first one where it stands several times; undefined where it is none. */
export function firstText(fields: XmlFields, name: string): string | undefined {
  const value = fields[name];
  const first = Array.isArray(value) ? value.find((one) => typeof one === 'string') : value;
  return typeof first === 'string' ? first : undefined;
}
